import type { Mutant } from './mutant.js';

/** When a round is complete, broken, or left. */
export const barrierMutants: readonly Mutant[] = [
  {
    name: 'a round trips with one too few',
    edits: [
      {
        file: 'src/barrier/entering.ts',
        find: 'const last = round[parties - 1];',
        replace: 'const last = round[Math.max(0, parties - 2)];',
      },
    ],
    workload: 'barrier',
    size: 'micro',
    seed: 1,
    rule: 'I6',
  },
  {
    name: 'the outcome of a round is about one too few',
    edits: [
      {
        file: 'src/barrier/entering.ts',
        find: 'put(keys.out(last.createRevision), value)',
        replace: 'put(keys.out(last.createRevision - 1n), value)',
      },
    ],
    workload: 'barrier',
    size: 'micro',
    seed: 1,
    rule: 'I6',
  },
  {
    name: 'a round trips although one has left',
    edits: [
      {
        file: 'src/barrier/entering.ts',
        find: "compare.modRevision(keys.left, '=', left?.modRevision ?? 0n),",
        replace: '',
      },
    ],
    workload: 'barrier',
    size: 'micro',
    seed: 33,
    rule: 'I6',
  },
  {
    name: 'a round is decided about twice',
    edits: [
      {
        file: 'src/barrier/entering.ts',
        find: "compare.modRevision(keys.outs(), '<', revision + 1n),",
        replace: '',
      },
    ],
    workload: 'barrier',
    size: 'micro',
    seed: 5,
    rule: 'I6',
  },
  {
    name: 'a proposal outlives its proposer',
    edits: [
      {
        file: 'src/barrier/council.ts',
        find: 'if: [...this.#ticket.guards(), ...motion.if]',
        replace: 'if: [...motion.if]',
      },
    ],
    workload: 'barrier',
    size: 'micro',
    seed: 36,
    rule: 'I6',
  },
  {
    name: 'who has left is taken for dead',
    edits: [
      {
        file: 'src/barrier/entering.ts',
        find: 'vanished.length > timesLeft(before, now)',
        replace: 'vanished.length > 0',
      },
    ],
    workload: 'barrier',
    size: 'micro',
    seed: 3,
    rule: 'I6',
  },
  {
    name: 'a round that is inside is joined',
    edits: [
      {
        file: 'src/barrier/entering.ts',
        find: 'if (isExclusive && standing.inside().length > 0) {',
        replace: 'if (isExclusive && standing.inside().length > 9) {',
      },
      {
        file: 'src/barrier/entering.ts',
        find: 'if (!last || (isExclusive && standing.inside().length > 0)) return undefined;',
        replace: 'if (!last) return undefined;',
      },
    ],
    workload: 'double-barrier',
    size: 'micro',
    seed: 85,
    rule: 'I6',
    masks: 'the look before a round is proposed',
  },
  {
    name: 'a double barrier is left before all leave',
    edits: [
      {
        file: 'src/barrier/leaving.ts',
        find: 'if (tickets.length >= parties.length) {',
        replace: 'if (tickets.length >= parties.length - 1) {',
      },
    ],
    workload: 'double-barrier',
    size: 'micro',
    seed: 1,
    rule: 'I6',
  },
  {
    name: 'how a round was left is forgotten while somebody is inside',
    edits: [
      {
        file: 'src/barrier/pass.ts',
        find: 'return standing?.tickets.every(({ createRevision }) => createRevision > round) ?? false;',
        replace: 'return standing !== undefined && round > 0n;',
      },
    ],
    workload: 'double-barrier',
    size: 'micro',
    seed: 1,
    rule: 'I6',
  },
  {
    name: 'how a round is left is decided twice',
    edits: [
      {
        file: 'src/barrier/leaving.ts',
        find: "if: [compare.createRevision(out, '=', 0n)],",
        replace: 'if: [],',
      },
    ],
    workload: 'double-barrier',
    size: 'micro',
    seed: 14,
    rule: 'I6',
  },
  {
    name: 'who cannot leave in order stays inside',
    edits: [
      {
        file: 'src/barrier/pass.ts',
        find: 'if (taken === undefined) return leaveLine(this.#ticket);',
        replace: 'if (taken === undefined) return;',
      },
    ],
    workload: 'double-barrier',
    size: 'micro',
    seed: 11,
    rule: 'liveness',
  },
  {
    name: 'a round counts who has died',
    edits: [
      {
        file: 'src/barrier/entering.ts',
        find: 'const round = standing.round(parties);',
        replace: 'const round = [...this.#dead, ...standing.round(parties)];',
      },
      {
        file: 'src/barrier/entering.ts',
        find: 'if (dead && youngest) {',
        replace: 'if (dead && !youngest) {',
      },
    ],
    workload: 'barrier',
    size: 'micro',
    seed: 173,
    rule: 'I6',
  },
];
