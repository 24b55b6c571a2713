/** The guards of live configuration. @typedef {import('./mutants.js').Mutant} Mutant */

const value = 'test/config/live-value.test.ts';
const settings = 'test/config/live-settings.test.ts';
const contract = 'test/config/config.test.ts';
const fuzz = 'test/config/fuzz.test.ts';

/** @type {readonly Mutant[]} */
export const configMutants = [
  {
    name: 'config: a bad value is followed by the fallback',
    file: 'src/config/live-value.ts',
    find: 'const fallback = this.#good ? undefined : this.#fallback.now;',
    replace: 'const fallback = this.#fallback.now;',
    test: contract,
    title: 'reports a bad value to all who want to know, and keeps the last good one',
  },
  {
    name: 'config: what is read again is told again',
    file: 'src/config/live-value.ts',
    find: 'if (seen && before?.modRevision === kv?.modRevision) return;',
    replace: '',
    test: value,
    title: 'skips what was compacted away, ends at the latest, and repeats neither value nor problem',
  },
  {
    name: 'config: the same is told twice where something was left out',
    file: 'src/config/live-value.ts',
    find: 'if (!last || !isSame(last, good)) yield good.value;',
    replace: 'yield good.value;',
    test: value,
    title: 'is not told twice to a reader that has been spared what was between',
  },
  {
    name: 'config: the latest is left out',
    file: 'src/config/broadcast.ts',
    find: 'if (this.#waiting.length > most) this.#waiting.shift();',
    replace: 'if (this.#waiting.length > most) this.#waiting.pop();',
    test: value,
    title: 'is told to a slow reader as it was, but no more than 64 changes of it, the latest always',
  },
  {
    name: 'config: a refused read ends it for good',
    file: 'src/config/following.ts',
    find: 'this.#states.fail(error);',
    replace: 'this.#states.fail(error);\n        break;',
    test: value,
    title: 'says that it may not be read any more, keeps the last value, and goes on when it may',
  },
  {
    name: 'config: readers are not told of a refused read',
    file: 'src/config/live-value.ts',
    find: 'this.#changes.fail(error);',
    replace: '',
    test: value,
    title: 'says that it may not be read any more, keeps the last value, and goes on when it may',
  },
  {
    name: 'config: what nobody has confirmed counts as fresh',
    file: 'src/config/following.ts',
    find: 'return this.#connection.runtime.now() - this.#confirmedAt;',
    replace:
      'return Math.min(this.#connection.runtime.now() - this.#confirmedAt, this.#seen ? 1 : Infinity);',
    test: value,
    title: 'stays as it is while the store is away, and says for how long it may be out of date',
  },
  {
    name: 'config: set overwrites what nobody has seen',
    file: 'src/config/writing.ts',
    find: "const guard = expected === undefined ? [] : [compare.modRevision(key, '=', expected)];",
    replace:
      "const guard = expected === undefined ? [] : [compare.modRevision(key, '<', expected + 1_000_000n)];",
    test: contract,
    title: 'is not overwritten by who has not seen the latest',
  },
  {
    name: 'config: update overwrites what came between',
    file: 'src/config/writing.ts',
    find: "const guard = [compare.modRevision(key, '=', kv?.modRevision ?? 0n)];",
    replace: "const guard = [compare.modRevision(key, '<', (kv?.modRevision ?? 0n) + 1_000_000n)];",
    test: contract,
    title: 'is changed by two at a time without losing a change',
  },
  {
    name: 'config: a reader is told what was not',
    file: 'src/config/codec.ts',
    find: 'const json = parse(kv.value, what);',
    replace: 'const json = parse(kv.value.length > 1 ? kv.value.slice(1) : kv.value, what);',
    test: fuzz,
    title: 'every reader is told what was stored in its order',
  },
  {
    name: 'settings: a deleted one lives on when it is put again',
    file: 'src/config/live-settings.ts',
    find: 'known && known.modRevision >= kv.createRevision ? known.good : undefined',
    replace: 'known?.good',
    test: settings,
    title: 'keep the last good value of one that went bad, but not of one that was deleted and put again',
  },
  {
    name: 'settings: an old problem is told again',
    file: 'src/config/live-settings.ts',
    find: 'problem.storedAt.revision <= (this.#following.seen?.revision ?? 0n)',
    replace: 'problem.storedAt.revision < 0n',
    test: settings,
    title: 'tell of each bad value once, also over compactions, and of nothing that has not changed',
  },
];
