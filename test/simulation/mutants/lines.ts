import type { Mutant } from './mutant.js';

/** Who may pass, and how those who wait learn of it. */
export const lineMutants: readonly Mutant[] = [
  {
    name: 'a line takes the order of the keys',
    edits: [
      {
        file: 'src/session/line.ts',
        find: 'tickets: tickets.sort(inOrder), settings',
        replace: 'tickets, settings',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 1,
    rule: 'I10',
  },
  {
    name: 'the gap before a watch is not closed',
    edits: [
      {
        file: 'src/session/line-view.ts',
        find: 'if (this.#revision < revision) void this.#fill(watch, revision);\n          else this.#applyEarly();',
        replace: 'if (this.#revision < revision) this.#revision = revision;\n          this.#applyEarly();',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 10,
    rule: 'liveness',
  },
  {
    name: 'a compacted view gives up',
    edits: [
      {
        file: 'src/session/line-view.ts',
        find: "this.#runtime.probe('line.compacted');\n    this.#watch = this.#open();",
        replace: '',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 2,
    rule: 'liveness',
  },
  {
    name: 'a reader passes a writer that waits',
    edits: [
      {
        file: 'src/session/rules.ts',
        find: 'isReader(mine) ? older.every(isReader)',
        replace: 'isReader(mine) ? older.slice(0, 1).every(isReader)',
      },
    ],
    workload: 'rw-lock',
    size: 'micro',
    seed: 2,
    rule: 'I4',
  },
  {
    name: 'permits are counted by tickets',
    edits: [
      {
        file: 'src/session/rules.ts',
        find: '(total += weightOf(ticket)) <= limit',
        replace: '(total += 1) <= limit',
      },
    ],
    workload: 'semaphore',
    size: 'micro',
    seed: 1,
    rule: 'I1',
  },
  {
    name: 'an upgrade does not look before it',
    edits: [
      {
        file: 'src/session/line.ts',
        find: "compare.createRevision({ key, end: mine }, '=', 0n),",
        replace: '',
      },
    ],
    workload: 'rw-lock',
    size: 'micro',
    seed: 6,
    rule: 'I1',
  },
  {
    name: 'an upgrade does not look behind it',
    edits: [
      {
        file: 'src/session/line.ts',
        find: "compare.createRevision({ key: next, end }, '=', 0n),",
        replace: '',
      },
    ],
    workload: 'rw-lock',
    size: 'micro',
    seed: 2,
    rule: 'I1',
  },
  {
    name: 'an upgrade leaves the old ticket',
    edits: [
      {
        file: 'src/lock/rw-lock.ts',
        find: "then: [remove(key), ...ticket.unsaying('ask')],",
        replace: "then: [...ticket.unsaying('ask')],",
      },
    ],
    workload: 'rw-lock',
    size: 'micro',
    seed: 2,
    rule: 'I1',
  },
  {
    name: 'what was downgraded is immortal',
    edits: [
      {
        file: 'src/session/rewrite.ts',
        find: 'then: [put(key, value, { lease: session.leaseId })],',
        replace: 'then: [put(key, value)],',
      },
    ],
    workload: 'rw-lock',
    size: 'micro',
    seed: 37,
    rule: 'liveness',
  },
  {
    name: 'a multi-lock is granted with its first line',
    edits: [
      {
        file: 'src/session/ticket.ts',
        find: "(all.length === spots.length && !all.includes('blocked'))",
        replace: "!all.includes('blocked')",
      },
    ],
    workload: 'multi-lock',
    size: 'micro',
    seed: 2,
    rule: 'I1',
  },
  {
    name: 'a multi-lock gives back its first line only',
    edits: [
      {
        file: 'src/session/giving-up.ts',
        find: 'const [only, ...others] = removals;',
        replace: 'const [only, ...others] = removals.slice(0, 1);',
      },
    ],
    workload: 'multi-lock',
    size: 'micro',
    seed: 1,
    rule: 'liveness',
  },
];
