import { expect, it } from 'vitest';
import { FailJob } from '../../src/index.js';
import { outcome } from '../lock/observe.js';
import type { Stage } from '../lock/stage.js';
import { expectNothing, mark, pairOn, untilAborted, untilState } from './pair.js';

/** What `work` promises. */
export function workContract(stage: Stage): void {
  it('does one job after the other, and keeps what the handler returns', async () => {
    const { one, other } = pairOn(stage);
    const jobs = await one.enqueueAll([1, 2, 3].map((value) => ({ value })));
    const stop = new AbortController();
    const done: unknown[] = [];
    let running = 0;
    let most = 0;
    const working = other.work(
      async ({ value }) => {
        most = Math.max(most, ++running);
        await stage.other.store.get('any');
        running--;
        done.push(value);
        return Number(value) * 10;
      },
      { signal: stop.signal },
    );
    const ends = await Promise.all(jobs.map(({ id }) => one.waitFor(id)));
    stop.abort();
    await working;
    expect(ends).toEqual([10, 20, 30].map((result) => ({ state: 'completed', result })));
    expect(done).toEqual([1, 2, 3]);
    expect(most).toBe(1);
  });

  it('does as many at a time as it is told to', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueueAll([1, 2, 3, 4].map((value) => ({ value })));
    const stop = new AbortController();
    const threeAtOnce = mark();
    let running = 0;
    let most = 0;
    const working = other.work(
      async () => {
        most = Math.max(most, ++running);
        if (running === 3) threeAtOnce.reach();
        await threeAtOnce.reached;
        await stage.other.store.get('any');
        running--;
      },
      { concurrency: 3, signal: stop.signal },
    );
    await threeAtOnce.reached;
    await untilState(one, { ready: 0, running: [] });
    stop.abort();
    await working;
    expect(most).toBe(3);
  });

  it('tries again what a handler throws at, tells of each, and gives up in the end', async () => {
    const { one, other } = pairOn(stage, { attempts: 3, backoff: { minMs: 5, maxMs: 10 } });
    await one.enqueue('x', { id: 'job' });
    const stop = new AbortController();
    const told: unknown[] = [];
    const working = other.work(
      ({ attempt }) => {
        throw new Error(`no ${attempt}`);
      },
      {
        signal: stop.signal,
        onError: (error, delivery) => told.push([(error as Error).message, delivery?.id]),
      },
    );
    const end = await one.waitFor('job');
    await untilState(one, { workers: 1 });
    stop.abort();
    await working;
    expect(end).toEqual({ state: 'dead', reason: 'failed', error: 'Error: no 3' });
    expect(told).toEqual([
      ['no 1', 'job'],
      ['no 2', 'job'],
      ['no 3', 'job'],
    ]);
    expect(await one.deadLetters.get('job')).toMatchObject({ attempts: 3 });
  });

  it('does not try again what a handler says has failed for good', async () => {
    const { one, other } = pairOn(stage, { attempts: 3, backoff: { minMs: 0 } });
    await one.enqueue('x', { id: 'job' });
    const stop = new AbortController();
    const attempts: number[] = [];
    const working = other.work(
      ({ attempt }) => {
        attempts.push(attempt);
        throw new FailJob(new Error('no such user'));
      },
      { signal: stop.signal },
    );
    expect(await one.waitFor('job')).toMatchObject({ state: 'dead', error: 'FailJob: Error: no such user' });
    stop.abort();
    await working;
    expect(attempts).toEqual([1]);
    await expectNothing(one);
  });

  it('that is told to stop waits for what runs, and takes nothing more', async () => {
    const { one, other } = pairOn(stage);
    const [first] = await one.enqueueAll([{ value: 'a' }, { value: 'b' }]);
    const stop = new AbortController();
    let isHeld: boolean | undefined;
    const working = other.work(
      async (delivery) => {
        stop.abort();
        await untilAborted(delivery.signal);
        isHeld = (await stage.one.store.txn({ if: delivery.guard() })).succeeded;
        return 'done all the same';
      },
      { signal: stop.signal },
    );
    await working;
    expect(isHeld).toBe(true);
    expect(await one.waitFor(first!.id, { timeoutMs: 0 })).toMatchObject({ result: 'done all the same' });
    const next = await one.receive({ timeoutMs: 0 });
    expect(next).toMatchObject({ value: 'b', attempt: 1 });
    await next.ack();
    await other.work(() => {}, { signal: stop.signal });
  });

  it('that is told to stop gives back what its handler gives up, uncounted and told to nobody', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('x');
    const stop = new AbortController();
    const told: unknown[] = [];
    const working = other.work(
      async ({ signal }) => {
        stop.abort('deploy');
        await untilAborted(signal);
        throw signal.reason;
      },
      { signal: stop.signal, onError: (error) => told.push(error) },
    );
    await working;
    const again = await one.receive({ timeoutMs: 0 });
    expect(again.attempt).toBe(1);
    expect(told).toEqual([]);
    await again.ack();
  });

  it('waits for a handler no longer than it is told to, and that settles its job when it ends', async () => {
    const { one, other } = pairOn(stage);
    const { id } = await one.enqueue('x');
    const stop = new AbortController();
    const mayEnd = mark();
    await other.work(
      async () => {
        stop.abort();
        await mayEnd.reached;
        return 'late';
      },
      { signal: stop.signal, drainTimeoutMs: 10 },
    );
    expect(await one.inspect()).toMatchObject({ running: [{ id, isOrphan: false }] });
    mayEnd.reach();
    expect(await one.waitFor(id)).toEqual({ state: 'completed', result: 'late' });
  });

  it('ends with the Conclave: what runs is told so, and given back uncounted', async () => {
    const { name, one } = pairOn(stage);
    const closing = stage.another();
    await one.enqueue('x');
    const begun = mark<AbortSignal>();
    const working = outcome(
      closing.queue(name).work(async ({ signal }) => {
        begun.reach(signal);
        await untilAborted(signal);
        throw signal.reason;
      }),
    );
    const signal = await begun.reached;

    await closing.close();

    expect(signal.reason).toMatchObject({ code: 'CLOSED' });
    expect(await working).toMatchObject({ code: 'CLOSED' });
    const again = await one.receive({ timeoutMs: 0 });
    expect(again.attempt).toBe(1);
    await again.ack();
  });

  it('by two processes does every job once', async () => {
    const { one, other } = pairOn(stage);
    const stop = new AbortController();
    const done: unknown[] = [];
    const working = [one, other].map((queue) =>
      queue.work(({ value }) => void done.push(value), { concurrency: 4, signal: stop.signal }),
    );
    const values = Array.from({ length: 60 }, (_, i) => i);
    await Promise.all(values.map((value) => (value % 2 ? one : other).enqueue(value)));
    await untilState(one, { ready: 0, running: [] });
    stop.abort();
    await Promise.all(working);
    expect(done.sort((a, b) => Number(a) - Number(b))).toEqual(values);
  });
}
