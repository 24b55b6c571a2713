import { expect, it } from 'vitest';
import type { DeadLetter, Queue } from '../../src/index.js';
import { outcome } from '../lock/observe.js';
import type { Stage } from '../lock/stage.js';
import { expectNothing, pairOn, take, takeAll } from './pair.js';

const hourMs = 3_600_000;

/** What can be heard of how jobs have ended, and what can be done about those that have failed for good. */
export function endsContract(stage: Stage): void {
  const listed = async (queue: Queue): Promise<DeadLetter[]> => {
    const letters: DeadLetter[] = [];
    for await (const letter of queue.deadLetters.list()) letters.push(letter);
    return letters;
  };
  /** Puts jobs of these ids and lets them fail. */
  const bury = async (
    { one, other }: { one: Queue; other: Queue },
    ids: readonly string[],
  ): Promise<void> => {
    await one.enqueueAll(ids.map((id) => ({ value: { of: id }, id })));
    for (const id of ids) {
      const delivery = await other.receive();
      await delivery.fail(new Error(`no ${id}`));
    }
  };

  it('is heard by who waits for it elsewhere, while it waits, while it runs and afterwards', async () => {
    const { one, other } = pairOn(stage);
    const { id } = await one.enqueue('x');
    const early = one.waitFor(id);
    expect(await outcome(one.waitFor(id, { timeoutMs: 0 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
    const delivery = await other.receive();
    const late = one.waitFor(id, { timeoutMs: hourMs });
    await delivery.ack([1, 2]);
    const end = { state: 'completed', result: [1, 2] };
    expect([await early, await late, await other.waitFor(id, { timeoutMs: 0 })]).toEqual([end, end, end]);
  });

  it('is heard with the reason and the error of a job that has failed for good', async () => {
    const { one, other } = pairOn(stage, { attempts: 1 });
    await one.enqueue('x', { id: 'job' });
    const waiting = one.waitFor('job');
    await (await other.receive()).retry({ error: new RangeError('too far') });
    expect(await waiting).toEqual({ state: 'dead', reason: 'failed', error: 'RangeError: too far' });
  });

  it('is heard of one that was cancelled before anybody had it', async () => {
    const { one, other } = pairOn(stage);
    const { id } = await one.enqueue('x', { delayMs: hourMs });
    const waiting = one.waitFor(id);
    await other.cancel(id);
    expect(await waiting).toEqual({ state: 'cancelled' });
  });

  it('cannot be heard of a job that was never put, nor by who does not wait', async () => {
    const { one } = pairOn(stage);
    expect(await outcome(one.waitFor('nothing'))).toMatchObject({ code: 'NOT_FOUND' });
    await one.enqueue('x', { id: 'job' });
    const caller = new AbortController();
    const waiting = outcome(one.waitFor('job', { signal: caller.signal }));
    caller.abort('enough');
    expect(await waiting).toBe('enough');
    expect(await outcome(one.waitFor('job', { timeoutMs: 10 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
  });

  it('as a dead letter is listed by id, as it was put, with what became of it', async () => {
    const pair = pairOn(stage);
    const ids = Array.from({ length: 20 }, (_, i) => `job ${String(i).padStart(2, '0')}`);
    await bury(pair, ids);
    const letters = await listed(pair.other);
    expect(letters.map(({ id }) => id)).toEqual(ids);
    expect(letters[3]).toMatchObject({
      value: { of: 'job 03' },
      reason: 'failed',
      error: 'Error: no job 03',
      attempts: 1,
    });
    expect(letters[3]!.diedAt.getTime()).toBeGreaterThanOrEqual(letters[3]!.enqueuedAt.getTime());
    expect(await pair.one.deadLetters.get('job 03')).toEqual(letters[3]);
    expect(await pair.one.deadLetters.get('job 99')).toBeUndefined();
  });

  it('as a dead letter can be undone, once: the job is tried anew, with all its attempts before it', async () => {
    const pair = pairOn(stage);
    const { one, other } = pair;
    await bury(pair, ['job']);
    expect(await one.enqueue('x', { id: 'job' })).toEqual({ id: 'job', created: false });
    const both = await Promise.all([one.deadLetters.retry('job'), other.deadLetters.retry('job')]);
    expect(both.sort()).toEqual([false, true]);
    expect(await take(one)).toMatchObject({ id: 'job', value: { of: 'job' }, attempt: 1 });
    await expectNothing(other);
    expect(await listed(one)).toEqual([]);
    expect(await one.waitFor('job')).toEqual({ state: 'completed', result: undefined });
  });

  it('can be undone for all dead letters at a time, in the order of their ids', async () => {
    const pair = pairOn(stage);
    const ids = Array.from({ length: 20 }, (_, i) => `job ${String(i).padStart(2, '0')}`);
    await bury(pair, ids);
    expect(await pair.other.deadLetters.retryAll()).toBe(20);
    expect(await pair.other.deadLetters.retryAll()).toBe(0);
    expect(await takeAll(pair.one, 20)).toEqual(ids.map((id) => ({ of: id })));
  });

  it('is final for a dead letter that is dropped: its id is free again', async () => {
    const pair = pairOn(stage);
    const { one, other } = pair;
    await bury(pair, ['job']);
    const both = await Promise.all([one.deadLetters.drop('job'), other.deadLetters.drop('job')]);
    expect(both.sort()).toEqual([false, true]);
    expect(await one.deadLetters.retry('job')).toBe(false);
    await expectNothing(one);
    expect(await one.enqueue('anew', { id: 'job' })).toEqual({ id: 'job', created: true });
    expect(await takeAll(other, 1)).toEqual(['anew']);
  });
}
