import type { Mutant } from './mutant.js';

/** What leaders say, and what those who look on are told. */
export const electionMutants: readonly Mutant[] = [
  {
    name: 'a rewrite compares nothing',
    edits: [
      {
        file: 'src/session/rewrite.ts',
        find: "if: [compare.modRevision(key, '=', this.#modRevision)]",
        replace: 'if: []',
      },
    ],
    workload: 'election',
    size: 'micro',
    seed: 18,
    rule: 'I1',
  },
  {
    name: 'a rewritten ticket has no lease',
    edits: [
      {
        file: 'src/session/rewrite.ts',
        find: 'put(key, value, { lease: session.leaseId })',
        replace: 'put(key, value)',
      },
    ],
    workload: 'election',
    size: 'micro',
    seed: 24,
    rule: 'liveness',
  },
  {
    name: 'a leader hands over before the other one is next',
    edits: [
      { file: 'src/election/leadership.ts', find: '|| seen.place <= 1;', replace: '|| seen.place <= 9;' },
    ],
    workload: 'election',
    size: 'full',
    seed: 2,
    rule: 'I7',
  },
  {
    name: 'an observer ends when its watch was compacted away',
    edits: [
      {
        file: 'src/session/line-history.ts',
        find: "if (error !== wrong && !isConclaveError(error, 'COMPACTED')) throw error;",
        replace: 'if (error !== wrong) throw error;',
      },
    ],
    workload: 'election',
    size: 'micro',
    seed: 3,
    rule: 'I7',
  },
  {
    name: 'an observer is told of the same leader again',
    edits: [
      {
        file: 'src/election/observe.ts',
        find: 'if (!last || !isSame(seen.leader, last.leader)) yield (last = seen);',
        replace: 'yield (last = seen);',
      },
      {
        file: 'src/election/election.ts',
        find: 'if (!last || isNews) yield (last = { leader, revision });',
        replace: 'yield (last = { leader, revision });',
      },
    ],
    workload: 'election',
    size: 'micro',
    seed: 1,
    rule: 'I7',
  },
  {
    name: 'an observer is not told that nobody leads',
    edits: [
      {
        file: 'src/election/observe.ts',
        find: 'if (!last || !isSame(seen.leader, last.leader)) yield (last = seen);',
        replace: 'if (!last || (seen.leader && !isSame(seen.leader, last.leader))) yield (last = seen);',
      },
    ],
    workload: 'election',
    size: 'micro',
    seed: 1,
    rule: 'I7',
  },
];
