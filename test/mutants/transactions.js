/** The guards of transactions, counters and ids. @typedef {import('./mutants.js').Mutant} Mutant */

const contract = 'test/store/atomically.contract.test.ts';
const tests = 'test/store/atomically.test.ts';
const fuzz = 'test/store/atomically-fuzz.test.ts';
const counters = 'test/counter/counter.test.ts';
const idTests = 'test/counter/ids.test.ts';
const change = 'src/store/change.ts';
const commit = 'src/store/commit.ts';
const staged = 'src/store/staged.ts';

/** @type {readonly Mutant[]} */
export const transactionMutants = [
  {
    name: 'overlooks a key that was removed from a range',
    file: staged,
    find: 'for (const kv of kvs) this.#know(kv.key, kv);',
    replace: '',
    test: contract,
    title: 'that has read a range runs again when somebody removes a key of it',
  },
  {
    name: 'overlooks a key that was added to a range',
    file: change,
    find: "...ranges.map((range) => compare.modRevision(range, '<', revision + 1n)),",
    replace: '',
    test: contract,
    title: 'that has read a range runs again when somebody adds a key to it',
  },
  {
    name: 'reads each key of a transaction as it is now',
    file: 'src/store/at-one-revision.ts',
    find: 'get(range, { revision: this.#revision })',
    replace: 'get(range)',
    test: contract,
    title: 'sees one revision, however much others write between its reads',
  },
  {
    name: 'overwrites what a transaction has not read',
    file: staged,
    find: 'await Promise.all(blind.map(([, op]) => this.#learn(keyOf(op))));',
    replace: 'for (const [name, op] of blind) this.#known.set(name, { key: keyOf(op), kv: undefined });',
    test: contract,
    title: 'puts under a lease, and keeps the one a key has',
  },
  {
    name: 'runs again after an unknown outcome without a fence',
    file: commit,
    find: "then: [put(key, '', keep)]",
    replace: 'then: [get(key)]',
    test: tests,
    title: 'kills a commit on its way before it runs again, when others have changed what it has only read',
  },
  {
    name: 'takes a commit in doubt as not done',
    file: commit,
    find: 'isFenced || isSurelyUndone(change, reads)',
    replace: 'true',
    test: fuzz,
    title: 'on a store are never done twice, and what is told of them is true',
  },
  {
    name: 'gives up on a commit that is surely not done',
    file: commit,
    find: 'isFenced || isSurelyUndone(change, reads)',
    replace: 'isFenced',
    test: tests,
    title: 'runs again if a lost commit is surely not done, because others have written something else',
  },
  {
    name: 'sends a commit again that only creates',
    file: commit,
    find: 'if (!anchor) throw onlyCreates(error);',
    replace: 'if (!anchor) return commit(store, change);',
    test: tests,
    title: 'says that it does not know if all it writes is new, and does not send it again',
  },
  {
    name: 'commits a transaction of a Conclave without a receipt',
    file: 'src/session/atomically-once.ts',
    find: 'await onceInAnySession(connection, parts, signal);',
    replace:
      'await store.txn(parts).then((done) => ({ isDone: done.succeeded, responses: done.responses }));',
    test: fuzz,
    title: 'are done once each by conclave.atomically, whatever becomes of requests and answers',
  },
  {
    name: 'adds to a counter that others have changed',
    file: 'src/counter/stored-number.ts',
    find: "if: [compare.modRevision(this.key, '=', modRevision)],",
    replace: 'if: [],',
    test: counters,
    title: 'takes one round trip more if another process has changed it, and no time',
  },
  {
    name: 'says no to a comparison by an old value',
    file: 'src/counter/stored-number.ts',
    find: 'value = next(before);\n      if',
    replace: 'if',
    test: counters,
    title: 'takes one round trip more if another process has changed it, and no time',
  },
  {
    name: 'adds beyond 64 bits',
    file: 'src/counter/counter.ts',
    find: 'isInRange(sum + amount)',
    replace: 'isInRange(amount)',
    test: counters,
    title: 'counts exactly where numbers would not, and refuses what does not fit into 64 bits, alone',
  },
  {
    name: 'gives ids out before they are reserved',
    file: 'src/counter/ids.ts',
    find: 'this.#blocks.push({ next: first, end: first + size });',
    replace: 'this.#blocks.push({ next: first, end: first + size + 1n });',
    test: idTests,
    title: 'of several processes are all different, and those of each grow',
  },
  {
    name: 'reserves ids when none is left',
    file: 'src/counter/ids.ts',
    find: 'this.#left() * 2 <= this.#block',
    replace: 'this.#left() < 0',
    test: idTests,
    title: 'take one transaction per block, and the next block is there before it is needed',
  },
];
