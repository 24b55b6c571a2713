import type { Mutant } from './mutant.js';

/** When a session is to be trusted, and what becomes of requests whose answer is lost. */
export const leaseMutants: readonly Mutant[] = [
  {
    name: 'the deadline has no margin',
    edits: [
      {
        file: 'src/session/deadline.ts',
        find: 'return Math.max(this.ttlMs / 5, 500);',
        replace: 'return 0;',
      },
    ],
    workload: 'mutex',
    size: 'full',
    seed: 7,
    rule: 'S3',
  },
  {
    name: 'the deadline is counted from the answer',
    edits: [
      {
        file: 'src/store/keep-alive.ts',
        find: 'lease.listener.renewed({ sentAt: sent.at, sentAtWall: sent.atWall, ttlSeconds });',
        replace:
          'lease.listener.renewed({ sentAt: this.#runtime.now(), sentAtWall: this.#runtime.wallNow(), ttlSeconds });',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 274,
    rule: 'S3',
  },
  {
    name: 'isHeld does not look at the clock',
    edits: [
      {
        file: 'src/session/session.ts',
        find: 'if (!this.isAlive()) return false;',
        replace: 'if (this.signal.aborted) return false;',
      },
      {
        file: 'src/session/hold.ts',
        find: 'if (!session.isAlive()) this.#lose(',
        replace: 'if (session.signal.aborted) this.#lose(',
      },
    ],
    masks: 'the look of the hold itself',
    workload: 'mutex',
    size: 'micro',
    seed: 1037,
    rule: 'S1',
  },
  {
    name: 'a sleep of the machine is not noticed',
    edits: [
      {
        file: 'src/session/deadline.ts',
        find: 'return this.#runtime.wallNow() - sentAtWall - (this.#runtime.now() - sentAt) > this.marginMs / 2;',
        replace: 'return sentAtWall < sentAt;',
      },
    ],
    workload: 'mutex',
    size: 'full',
    seed: 3,
    rule: 'S1',
  },
  {
    name: 'renewals of an old raft term count',
    edits: [
      {
        file: 'src/store/endpoints.ts',
        find: 'return term >= this.#highestTerm;',
        replace: 'return term >= 0n;',
      },
    ],
    workload: 'mutex',
    size: 'full',
    seed: 8,
    rule: 'S1',
  },
  {
    name: 'a bump does not move the epoch',
    edits: [
      {
        file: 'src/session/epoch.ts',
        find: "then: [put(this.#key, '', { ignoreValue: true, lease: this.#leaseId }), ...reads],",
        replace: 'then: [get(this.#key), ...reads],',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 7,
    rule: 'liveness',
  },
  {
    name: 'a lost session is used again',
    edits: [
      {
        file: 'src/session/connection.ts',
        find: 'if (this.#session?.isAlive()) return this.#session;\n    if (this.#session && this.#parent)',
        replace: 'if (this.#session) return this.#session;\n    if (this.#session && this.#parent)',
      },
    ],
    workload: 'mutex',
    size: 'full',
    seed: 1,
    rule: 'liveness',
  },
  {
    name: 'a mutation that may have been done is sent again',
    edits: [
      {
        file: 'src/store/caller.ts',
        find: "(outcome === 'unknown' && !mutates)",
        replace: "outcome === 'unknown'",
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 46,
    rule: 'I3',
  },
  {
    name: 'what may have been done counts as not done',
    edits: [
      {
        file: 'src/store/outcome.ts',
        find: "return neverSent ? 'not-done' : 'unknown';",
        replace: "return 'not-done';",
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 27,
    rule: 'I3',
  },
  {
    name: 'a watch that is opened anew begins now',
    edits: [
      {
        file: 'src/store/watch.ts',
        find: '...this.request, startRevision: this.#next };',
        replace: '...this.request };',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 19,
    rule: 'liveness',
  },
  {
    name: 'a loss is not told',
    edits: [{ file: 'src/session/hold.ts', find: 'this.#controller.abort(this.#loss);', replace: '' }],
    workload: 'mutex',
    size: 'full',
    seed: 14,
    rule: 'S4',
  },
];
