import { expect, it } from 'vitest';
import type { Life } from '../history/lives.js';
import type { Entry, Operation } from '../history/record.js';
import type { JobsEvidence } from './jobs-judge.js';
import { judgeOrder } from './jobs-order.js';

/** A machine that has been up for half a day. */
const begin = 50_000_000;

/** A job that is put right away, to be ready after a second, and is after so long. */
function delayedFor(ms: number, clockDrift?: number): JobsEvidence {
  const first: Entry = { kind: 'note', at: begin, client: 'c', what: '', on: '', facts: {} };
  const at = begin + 10_000;
  const input = { id: 't', tag: 't', delayMs: 1_000 };
  const put: Operation = {
    ...{ client: 'c', id: '1', call: 'enqueue', on: 'q', input, invokedAt: at, returnedAt: at + 1 },
    ...{ outcome: 'ok', output: { id: 't', created: true }, error: undefined },
  };
  const body: Life = {
    ...{ key: 'n/queue/q/job/t', lease: '0', createRevision: 2, createdAt: at },
    ...{ deleteRevision: Infinity, deletedAt: Infinity, forms: [] },
  };
  const wall = 1_700_000_000_000;
  const delayed: Life = {
    ...{ ...body, key: `n/queue/q/delayed/${(wall + 1_000).toString(16)}/t` },
    ...{ deleteRevision: 3, deletedAt: at + ms },
  };
  return {
    ...{ entries: [first], changes: [], namespace: 'n', ttlMs: 1_000, operations: [put] },
    ...{ queue: 'q', keepMs: 0, attempts: 3, maxCrashes: 3, ...(clockDrift !== undefined && { clockDrift }) },
    jobs: [
      {
        ...{ id: 't', tag: 't', body, content: { enqueuedAt: wall }, claims: [], remembered: undefined },
        places: [{ kind: 'delayed', life: delayed }],
      },
    ],
  };
}

it('sees a job that does not wait for its time, however long the machine has been up', () => {
  expect(judgeOrder(delayedFor(900, 0)).map(({ rule }) => rule)).toEqual(['I5 delay']);
  expect(judgeOrder(delayedFor(1_000, 0))).toEqual([]);
});

it('lets clocks differ by what they may since the beginning', () => {
  expect(judgeOrder(delayedFor(0)).length).toBe(0);
  expect(judgeOrder(delayedFor(0, 0.05)).length).toBe(1);
});

it('sees a job that is left waiting after its time', () => {
  expect(judgeOrder(delayedFor(20_000, 0)).map(({ rule }) => rule)).toEqual(['I9']);
});

it('sees a worker that waits while a job does, and does not take the dead for one', () => {
  const { jobs, ...rest } = delayedFor(1_000);
  const [job] = jobs;
  const place = { kind: 'ready' as const, life: { ...job!.body, createdAt: begin + 20_000 } };
  const receive = (outcome: Operation['outcome'], returnedAt: number): Operation => ({
    ...{ client: 'w', id: '2', call: 'receive', on: 'q', input: {}, invokedAt: begin, returnedAt },
    ...{ outcome, output: {}, error: undefined },
  });
  const judged = (...operations: Operation[]): string[] =>
    judgeOrder({ ...rest, jobs: [{ ...job!, places: [place] }], operations }).map(({ rule }) => rule);
  expect(judged(receive('ok', begin + 30_000))).toEqual(['I9']);
  expect(judged(receive('ok', begin + 21_000))).toEqual([]);
  expect(judged(receive('unknown', Infinity))).toEqual([]);
});
