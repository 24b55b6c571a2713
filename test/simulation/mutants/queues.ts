import type { Mutant } from './mutant.js';

/** How jobs are put, taken, settled, and given to others. */
export const queueMutants: readonly Mutant[] = [
  {
    name: 'a claim is not guarded by the place of the job',
    edits: [
      {
        file: 'src/queue/claim.ts',
        find: "if: [compare.modRevision(job.key, '=', job.modRevision)],",
        replace: 'if: [],',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 3,
    rule: 'I5',
  },
  {
    name: 'a late copy of a claim takes a job for nobody',
    edits: [
      { file: 'src/queue/claim.ts', find: 'if: [epoch, ...request.if],', replace: 'if: [...request.if],' },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 1867,
    rule: 'error',
  },
  {
    name: 'an unknown result of a claim counts as none',
    edits: [
      { file: 'src/queue/claim.ts', find: 'return settle(session, layout, claims);', replace: 'return [];' },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 95,
    rule: 'error',
  },
  {
    name: 'a worker ends a job that is not its own any more',
    edits: [
      {
        file: 'src/queue/settle.ts',
        find: 'if: [...ticket.guards(), ...unlessCancelled, ...move.if],',
        replace: 'if: [...unlessCancelled, ...move.if],',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 42,
    rule: 'I5',
  },
  {
    name: 'what was settled by an earlier copy counts as lost',
    edits: [
      { file: 'src/queue/settle.ts', find: 'if (!this.#isRepeated) return false;', replace: 'return false;' },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 23,
    rule: 'I5',
  },
  {
    name: 'a job whose worker is lost is given to nobody',
    edits: [
      {
        file: 'src/queue/reclaim.ts',
        find: 'return [...jobs].filter(([id]) => !claimed.has(id))',
        replace: 'return [...jobs].filter(([id]) => claimed.has(id) && !claimed.has(id))',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 4,
    rule: 'error',
  },
  {
    name: 'a job is taken from a worker that has it',
    edits: [
      {
        file: 'src/queue/reclaim.ts',
        find: 'return [...jobs].filter(([id]) => !claimed.has(id))',
        replace: 'return [...jobs].filter(() => true)',
      },
      {
        file: 'src/queue/reclaim.ts',
        find: "compare.createRevision(prefix(layout.claimsOf(id)), '=', 0n),",
        replace: '',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 1,
    rule: 'I5',
    masks: 'the comparison with the claim',
  },
  {
    name: 'crashes are not counted',
    edits: [{ file: 'src/queue/reclaim.ts', find: 'crashes: crashes + 1,', replace: 'crashes,' }],
    workload: 'retry-queue',
    size: 'micro',
    seed: 1,
    rule: 'I5',
  },
  {
    name: 'attempts are not counted',
    edits: [
      {
        file: 'src/queue/delivery.ts',
        find: 'const failures = this.#job.record.failures + 1;',
        replace: 'const { failures } = this.#job.record;',
      },
    ],
    workload: 'retry-queue',
    size: 'micro',
    seed: 1,
    rule: 'I5',
  },
  {
    name: 'a delayed job is delivered early',
    edits: [
      {
        file: 'src/queue/due.ts',
        find: 'const allDue = range(layout.delayedBefore(start), layout.delayedBefore(now + 1));',
        replace: 'const allDue = range(layout.delayedBefore(start), layout.delayedBefore(now + aheadMs));',
      },
    ],
    workload: 'retry-queue',
    size: 'micro',
    seed: 3,
    rule: 'I5 delay',
  },
  {
    name: 'a job that is promoted is not compared',
    edits: [
      {
        file: 'src/queue/due.ts',
        find: "const stands = compare.modRevision(kv.key, '=', kv.modRevision);",
        replace: "const stands = compare.modRevision(kv.key, '!=', -1n);",
      },
    ],
    workload: 'retry-queue',
    size: 'micro',
    seed: 520,
    rule: 'I5',
  },
  {
    name: 'priorities are ignored',
    edits: [
      {
        file: 'src/queue/search.ts',
        find: 'return priorities.flatMap((priority)',
        replace: 'return [...priorities].reverse().flatMap((priority)',
      },
    ],
    workload: 'priority-queue',
    size: 'micro',
    seed: 1,
    rule: 'I5 order',
  },
  {
    name: 'the order of enqueues is that of their ids',
    edits: [
      {
        file: 'src/queue/lane.ts',
        find: 'return `${this.prefix}${hex16(revision)}-',
        replace: 'return `${this.prefix}${hex16(revision - (revision % 8n))}-',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 3,
    rule: 'I5 order',
  },
  {
    name: 'a dead letter is lost',
    edits: [
      {
        file: 'src/queue/moves.ts',
        find: '[...toEnd(layout, job).then, put(layout.deadOf(id), encode(dead))]',
        replace: '[...toEnd(layout, job).then]',
      },
    ],
    workload: 'retry-queue',
    size: 'micro',
    seed: 2,
    rule: 'I5',
  },
  {
    name: 'a job of a group that has ended keeps its slot',
    edits: [
      {
        file: 'src/queue/moves.ts',
        find: '...keys.map((key) => remove(key)), ...freeing(layout, body, record.slot)]',
        replace: '...keys.map((key) => remove(key))]',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 4,
    rule: 'I5',
  },
  {
    name: 'an enqueue in doubt is done again',
    edits: [
      { file: 'src/session/once.ts', find: 'if (isOf(kv, receipt)) return doneAt(kv);', replace: '' },
      {
        file: 'src/session/once.ts',
        find: 'if: [epoch, isFirst, ...parts.if],',
        replace: 'if: [epoch, ...parts.if],',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 3,
    rule: 'I5',
    masks: 'the comparison with the receipt',
  },
  {
    name: 'once: any receipt will do',
    edits: [
      {
        file: 'src/session/once.ts',
        find: 'if (isOf(kv, receipt)) return doneAt(kv);',
        replace: 'if (kv) return doneAt(kv);',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 93,
    rule: 'I5',
  },
  {
    name: 'once: a lost session leaves it as not done',
    edits: [
      {
        file: 'src/session/once.ts',
        find: 'return lastLook(session, key, signal);',
        replace: 'return undefined;',
      },
    ],
    workload: 'queue',
    size: 'full',
    seed: 67,
    rule: 'I5',
  },
  {
    name: 'a job of an id that is there is put again',
    edits: [
      {
        file: 'src/queue/landing.ts',
        find: "if: keys.map((key) => compare.createRevision(key, '=', 0n)),",
        replace: 'if: [],',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 2,
    rule: 'I5',
  },
  {
    name: 'the end of a job with an id is not remembered',
    edits: [
      {
        file: 'src/queue/landing.ts',
        find: '...(body.isNamed ? [layout.result(id), layout.deadOf(id)] : [])',
        replace: '',
      },
    ],
    workload: 'queue',
    size: 'micro',
    seed: 57,
    rule: 'I5',
  },
];
