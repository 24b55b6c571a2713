import { expect, it } from 'vitest';
import { until } from '../lock/stage.js';
import type { Stage } from '../lock/stage.js';
import { outcome } from '../lock/observe.js';
import {
  expectNothing,
  mark,
  pairOn,
  take,
  takeAll,
  tellingUntil,
  untilAborted,
  untilState,
} from './pair.js';

const hourMs = 3_600_000;

/** How a queue is steered from any process: pausing, cancelling, limits, schedules; and what it shows of itself. */
export function controlContract(stage: Stage): void {
  it('that is paused anywhere gives nobody a job, until it is resumed anywhere', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('x');
    const running = await one.receive();
    await one.pause();
    await one.pause();
    await other.enqueue('y');
    await expectNothing(other);
    expect(await other.inspect()).toMatchObject({ isPaused: true, ready: 1, running: [{}] });
    await running.ack();
    const waiting = other.receive();
    await untilState(one, { workers: 1 });

    await other.resume();

    expect((await waiting).value).toBe('y');
    await (await waiting).ack();
    expect(await one.inspect()).toMatchObject({ isPaused: false });
    await one.resume(); // nothing happens
  });

  it('takes back a job that waits, for its turn, for its time or for others of its group', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('x', { id: 'waiting' });
    await one.enqueue('x', { id: 'delayed', delayMs: hourMs });
    await one.enqueueAll([
      { value: 'first', id: 'first', group: 'g' },
      { value: 'x', id: 'grouped', group: 'g' },
      { value: 'third', group: 'g' },
    ]);
    await untilState(one, { ready: 2, delayed: 1, grouped: 2 });

    for (const id of ['waiting', 'delayed', 'grouped']) {
      expect(await other.cancel(id)).toBe('waiting');
      expect(await one.waitFor(id)).toEqual({ state: 'cancelled' });
      expect(await one.cancel(id)).toBeUndefined();
    }

    await untilState(one, { ready: 1, delayed: 0, grouped: 1 });
    expect([(await take(one)).value, (await take(one)).value]).toEqual(['first', 'third']);
    await expectNothing(other);
    expect(await one.cancel('never put')).toBeUndefined();
  });

  it('passes the slot of a cancelled job to the next of its group', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueueAll([
      { value: 'x', id: 'first', group: 'g' },
      { value: 'y', group: 'g' },
    ]);
    await untilState(one, { ready: 1, grouped: 1 });
    expect(await other.cancel('first')).toBe('waiting');
    expect((await take(one)).value).toBe('y');
  });

  it('tells a worker that its job is cancelled, and does not try again what it gives up', async () => {
    const { one, other } = pairOn(stage, { backoff: { minMs: 0 } });
    await one.enqueue('x', { id: 'job' });
    const stop = new AbortController();
    const begun = mark();
    const working = other.work(
      async ({ signal }) => {
        begun.reach();
        await untilAborted(signal);
        throw signal.reason;
      },
      { signal: stop.signal },
    );
    await begun.reached;
    expect(await one.cancel('job')).toBe('running');
    expect(await one.waitFor('job')).toEqual({ state: 'cancelled' });
    stop.abort();
    await working;
    expect(await one.inspect()).toMatchObject({ ready: 0, delayed: 0, dead: 0, running: [] });
  });

  it('lets a cancelled job that is done all the same be done, and one that is retried be over', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('x', { id: 'done' });
    await one.enqueue('x', { id: 'retried' });
    const deliveries = [await other.receive(), await other.receive()];
    for (const delivery of deliveries) {
      expect(await one.cancel(delivery.id)).toBe('running');
      await untilAborted(delivery.signal);
      expect(delivery.isCancelled).toBe(true);
    }
    await deliveries[0]!.ack('made it');
    await deliveries[1]!.retry({ delayMs: 0 });
    expect(await one.waitFor('done')).toEqual({ state: 'completed', result: 'made it' });
    expect(await one.waitFor('retried')).toEqual({ state: 'cancelled' });
    await expectNothing(one);
  });

  it('runs no more jobs at a time than it may, over all processes', async () => {
    const { one, other } = pairOn(stage, { maxRunning: 2 });
    await one.enqueueAll([1, 2, 3, 4].map((value) => ({ value })));
    const first = await one.receive();
    const second = await other.receive();
    expect(await outcome(other.receive({ timeoutMs: 0 }))).toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining('2 jobs run already') as unknown,
    });
    const third = other.receive();
    await first.ack();
    expect((await third).value).toBe(3);
    await second.retry({ delayMs: hourMs });
    expect((await take(one)).value).toBe(4);
    await (await third).ack();
  });

  it('fires each instant of a schedule once, though two processes look after it', async () => {
    const { one, other } = pairOn(stage);
    const everyMs = 1_000;
    const [mine, theirs] = [
      await one.schedule('tick', { everyMs }, 'x', { catchUp: 'all' }),
      await other.schedule('tick', { everyMs }, 'x', { catchUp: 'all' }),
    ];
    const begin = mine.next!.getTime();
    expect((theirs.next!.getTime() - begin) % everyMs).toBe(0);
    const stop = new AbortController();
    const ids: string[] = [];
    const working = [one, other].map((queue) =>
      queue.work(({ id }) => void ids.push(id), { signal: stop.signal }),
    );
    await until(async () => Math.min(ids.length, 2), 2);
    expect(await one.schedules()).toMatchObject([{ name: 'tick', everyMs, value: 'x' }]);
    expect(await other.unschedule('tick')).toBe(true);
    expect(await one.unschedule('tick')).toBe(false);
    await untilState(one, { ready: 0, running: [] });
    stop.abort();
    await Promise.all(working);
    expect(ids.every((id) => id.startsWith('tick@'))).toBe(true);
    const instants = ids.map((id) => Date.parse(id.slice('tick@'.length))).sort((a, b) => a - b);
    const first = instants[0]!;
    expect(instants).toEqual(instants.map((_, i) => first + i * everyMs));
    expect(Math.abs(begin - first) % everyMs).toBe(0);
    expect(await one.schedules()).toEqual([]);
  });

  it('tells of the life of a job, in order, and of what is done to the queue', async () => {
    const { one, other } = pairOn(stage);
    const told = await tellingUntil(one, 'resumed');
    const { id } = await other.enqueue('x', { priority: 3, group: 'g' });
    const first = await other.receive();
    await first.progress('half');
    await first.retry({ delayMs: 0, error: 'busy' });
    await (await one.receive()).release();
    const last = await other.receive();
    await last.ack('result');
    await other.pause();
    await other.resume();

    const events = await told();
    expect(events).toMatchObject([
      { kind: 'enqueued', id, priority: 3, group: 'g', until: undefined },
      { kind: 'started', id, attempt: 1, fencingToken: first.fencingToken },
      { kind: 'progress', id, value: 'half' },
      { kind: 'retrying', id, attempt: 1, error: 'busy' },
      { kind: 'started', id, attempt: 2 },
      { kind: 'returned', id },
      { kind: 'started', id, attempt: 2, fencingToken: last.fencingToken },
      { kind: 'completed', id, result: 'result' },
      { kind: 'paused' },
      { kind: 'resumed' },
    ]);
    const revisions = events.map(({ revision }) => revision);
    expect(revisions).toEqual([...revisions].sort((a, b) => (a < b ? -1 : 1)));
  });

  it('tells of jobs that die, are put back, are dropped, cancelled or lose their worker', async () => {
    const { one, other } = pairOn(stage);
    const told = await tellingUntil(one, 'cancelled');
    await other.enqueue('x', { id: 'job' });
    await (await other.receive()).fail('no');
    await other.deadLetters.retry('job');
    await (await other.receive()).fail('no');
    await other.deadLetters.drop('job');
    await other.enqueue('x', { id: 'job' });
    await stage.one.store.remove((await other.receive()).key);
    const last = await other.receive();
    await one.cancel('job');
    await last.retry({ delayMs: 0 });
    expect((await told()).map((event) => event.kind)).toEqual([
      ...['enqueued', 'started', 'dead', 'retried', 'started', 'dead', 'dropped'],
      ...['enqueued', 'started', 'crashed', 'started', 'cancelling', 'cancelled'],
    ]);
  });

  it('shows how many jobs there are of each kind, and who works on what', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('x', { id: 'dead' });
    await (await other.receive()).fail('no');
    await one.enqueueAll([
      { value: 'x', id: 'run', priority: 9 },
      { value: 'x' },
      { value: 'x' },
      { value: 'x', delayMs: hourMs },
    ]);
    await one.enqueueAll([1, 2, 3].map((value) => ({ value, group: 'g' })));
    const running = await other.receive();
    await untilState(one, { ready: 3, delayed: 1, grouped: 2, dead: 1, workers: 0, isPaused: false });
    const state = await one.inspect();
    expect(state.running).toMatchObject([{ id: 'run', attempt: 1, isOrphan: false, holder: {} }]);
    await running.ack();
    expect(await takeAllReady(one)).toBe(5);
    const later = await one.inspect();
    expect(later).toMatchObject({ ready: 0, delayed: 1, grouped: 0, dead: 1, running: [] });
    expect(later.revision).toBeGreaterThan(state.revision);
  });

  /** Two that stood ready, and three of a group, each of which lets the next one pass. */
  async function takeAllReady(queue: Parameters<typeof takeAll>[0]): Promise<number> {
    return (await takeAll(queue, 5)).length;
  }
}
