import type { Mutant } from './mutant.js';

/** How a ticket is taken, granted and given back. */
export const ticketMutants: readonly Mutant[] = [
  {
    name: 'a commit is not guarded by the ticket',
    edits: [
      {
        file: 'src/session/hold.ts',
        find: 'session.store.txn({ if: this.guard(), then: ops })',
        replace: 'session.store.txn({ if: [], then: ops })',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 155,
    rule: 'I3',
  },
  {
    name: 'a retry after an unknown result takes another ticket',
    edits: [
      {
        file: 'src/session/take.ts',
        find: '() => takeOnce(request, keys, options)',
        replace:
          '() => takeOnce(request, lines.map((line) => line.keyOf(session.nextTicketName(request.title))), options)',
      },
      {
        file: 'src/session/take.ts',
        find: 'const settled = await settle(request, keys, error);',
        replace: 'const settled = undefined;',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 7,
    rule: 'liveness',
  },
  {
    name: 'an unknown result of a take is not settled',
    edits: [
      {
        file: 'src/session/take.ts',
        find: 'const settled = await settle(request, keys, error);',
        replace: 'const settled = undefined;',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 112,
    rule: 'I1',
  },
  {
    name: 'a late copy of a take creates a second ticket',
    edits: [{ file: 'src/session/take.ts', find: 'if: [epoch, ...keys.map(', replace: 'if: [...keys.map(' }],
    workload: 'mutex',
    size: 'micro',
    seed: 112,
    rule: 'I1',
  },
  {
    name: 'a waiter does not look for its own ticket',
    edits: [
      {
        file: 'src/session/ticket.ts',
        find: "if (!mine) return 'gone';",
        replace: "if (!mine) return 'admitted';",
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 3232,
    rule: 'I4',
  },
  {
    name: 'the session is not looked at before a grant',
    edits: [
      {
        file: 'src/session/ticket.ts',
        find: "await this.session.untilValid(signal);\n    return 'admitted';",
        replace: "return 'admitted';",
      },
    ],
    workload: 'mutex',
    size: 'full',
    seed: 2,
    rule: 'S2',
  },
  {
    name: 'an abandoned take leaves its ticket',
    edits: [
      {
        file: 'src/session/admission.ts',
        find: 'const left = taking.then((ticket) => ticket && leaveLine(ticket)).catch(() => {});',
        replace: 'const left = taking.then(() => {}).catch(() => {});',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 4,
    rule: 'liveness',
  },
  {
    name: 'a release removes whoever stands there',
    edits: [
      {
        file: 'src/session/giving-up.ts',
        find: 'return txn({ if: [mine], then: [remove(key), ...line.leaving(key)] });',
        replace:
          'return txn({ then: [remove({ key: Buffer.from(line.prefix), end: Buffer.from(`${line.prefix}~`) })] });',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 2,
    rule: 'I10',
  },
  {
    name: 'a repeated release that finds nothing is called a loss',
    edits: [
      {
        file: 'src/session/giving-up.ts',
        find: 'hadIt: hadIt || attempts.isRepeated || next',
        replace: 'hadIt: hadIt || next',
      },
    ],
    workload: 'mutex',
    size: 'full',
    seed: 1,
    rule: 'I10',
  },
  {
    name: 'the local successor does not wait for the store',
    edits: [
      {
        file: 'src/session/admission.ts',
        find: 'const given = await requeueTicket(ticket);',
        replace: 'void requeueTicket(ticket);\n    const given = { hadIt: true, next: undefined };',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 1,
    rule: 'liveness',
  },
  {
    name: 'the ticket of an exchange is forgotten',
    edits: [{ file: 'src/session/admission.ts', find: 'next = given.next;', replace: '' }],
    workload: 'mutex',
    size: 'micro',
    seed: 1,
    rule: 'liveness',
  },
  {
    name: 'a try overlooks who has come since it looked',
    edits: [
      {
        file: 'src/session/line.ts',
        find: "compare.modRevision(prefix(this.prefix), '<', revision + 1n),",
        replace: '',
      },
      {
        file: 'src/session/take.ts',
        find: 'if (ticket.isAdmittedAtOnce()) return ticket;',
        replace: 'return ticket;',
      },
    ],
    workload: 'semaphore',
    size: 'micro',
    seed: 11,
    rule: 'I1',
    masks: 'the look at what its own transaction has seen',
  },
  {
    name: 'the lock delay is not waited for',
    edits: [
      {
        file: 'src/session/lock-delay.ts',
        find: 'await sleep(this.#runtime, Math.max(0, this.#delayMs - waitedMs), { signal });',
        replace: '',
      },
    ],
    workload: 'mutex',
    size: 'micro',
    seed: 69,
    rule: 'delay',
  },
];
