import { expect, it } from 'vitest';
import * as z from 'zod';
import { outcome } from '../lock/observe.js';
import type { Stage } from '../lock/stage.js';
import { expectNothing, pairOn, take, takeAll, untilState } from './pair.js';

const hourMs = 3_600_000;

/** What `enqueue` promises, and what its options mean. */
export function enqueueContract(stage: Stage): void {
  it('puts jobs that are taken in the order in which they were put, by whomever', async () => {
    const { one, other } = pairOn(stage);
    for (const i of [0, 1, 2, 3, 4, 5]) await (i % 2 ? one : other).enqueue(i);
    expect(await takeAll(one, 6)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('gives a job without an id one of its own', async () => {
    const { one, other } = pairOn(stage);
    const first = await one.enqueue('x');
    const second = await one.enqueue('x');
    expect([first.created, second.created]).toEqual([true, true]);
    expect(first.id).not.toBe(second.id);
    expect([(await take(other)).id, (await take(other)).id]).toEqual([first.id, second.id]);
  });

  it('puts a job of an id once, from whichever process, and remembers it when it has ended', async () => {
    const { one, other } = pairOn(stage);
    const id = 'a/b é';
    expect(await one.enqueue(1, { id })).toEqual({ id, created: true });
    expect(await other.enqueue(2, { id })).toEqual({ id, created: false });
    const delivery = await other.receive();
    expect(await one.enqueue(3, { id })).toEqual({ id, created: false });
    await delivery.ack();
    expect(delivery).toMatchObject({ id, value: 1 });
    expect(await one.enqueue(4, { id })).toEqual({ id, created: false });
    await expectNothing(one);
  });

  it('puts a job of an id anew when nothing is to be kept', async () => {
    const { one, other } = pairOn(stage, { keepMs: 0 });
    await one.enqueue(1, { id: 'job' });
    await take(other);
    expect(await one.enqueue(2, { id: 'job' })).toEqual({ id: 'job', created: true });
    expect(await takeAll(other, 1)).toEqual([2]);
  });

  it('of two that put the same id at a time lets one put it', async () => {
    const { one, other } = pairOn(stage);
    const both = await Promise.all([one.enqueue('x', { id: 'job' }), other.enqueue('y', { id: 'job' })]);
    expect(both.map(({ created }) => created).sort()).toEqual([false, true]);
    const [winner] = both[0].created ? ['x'] : ['y'];
    expect(await takeAll(one, 1)).toEqual([winner]);
  });

  it('puts many jobs in their order, more than one transaction takes, and says which are new', async () => {
    const { one, other } = pairOn(stage);
    await other.enqueue('there', { id: 'job 7' });
    const jobs = Array.from({ length: 50 }, (_, i) => ({ value: i, id: `job ${i}` }));
    const enqueued = await one.enqueueAll(jobs);
    expect(enqueued).toEqual(jobs.map(({ id }, i) => ({ id, created: i !== 7 })));
    const values = [...jobs.keys()].filter((i) => i !== 7);
    expect(await takeAll(other, 50)).toEqual(['there', ...values]);
    expect(await one.enqueueAll([])).toEqual([]);
  });

  it('has jobs of a higher priority taken first, and in order among equals', async () => {
    const { one, other } = pairOn(stage);
    for (const [value, priority] of [
      ['d', 0],
      ['b', 5],
      ['c', 5],
      ['a', 9],
    ] as const)
      await one.enqueue(value, { priority });
    await one.enqueue('e');
    expect(await takeAll(other, 5)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('keeps back what is not to begin yet, and what may begin gets past it', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('in an hour', { delayMs: hourMs });
    await one.enqueue('then', { runAt: Date.now() + hourMs });
    await one.enqueue('now', { runAt: new Date(0) });
    expect(await other.inspect()).toMatchObject({ delayed: 2, ready: 1 });
    expect(await takeAll(other, 1)).toEqual(['now']);
  });

  it('makes delayed jobs ready when their time has come, and not before', async () => {
    const { one, other } = pairOn(stage);
    const now = Date.now();
    await one.enqueueAll([60, 30].map((ms) => ({ value: now + ms, runAt: new Date(now + ms) })));
    const due: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      const delivery = await other.receive();
      expect(Date.now()).toBeGreaterThanOrEqual(Number(delivery.value));
      due.push(delivery.value);
      await delivery.ack();
    }
    expect(due.sort()).toEqual([now + 30, now + 60]);
    expect(await one.inspect()).toMatchObject({ delayed: 0, ready: 0 });
  });

  it('makes a dead letter of what is of no use any more when its turn comes', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('stale', { id: 'stale', expiresAt: Date.now() - 1 });
    await one.enqueue('fresh', { expiresAt: new Date(Date.now() + hourMs) });
    expect(await takeAll(other, 1)).toEqual(['fresh']);
    expect(await one.deadLetters.get('stale')).toMatchObject({ value: 'stale', reason: 'expired' });
  });

  it('lets a job say how often it may fail, and how long it waits in between', async () => {
    const { one, other } = pairOn(stage, { attempts: 1, backoff: { minMs: hourMs } });
    await one.enqueue('x', { id: 'job', attempts: 2, backoff: { minMs: 10, maxMs: 10 } });
    const first = await other.receive();
    await first.retry();
    const second = await other.receive();
    expect([first.attempt, second.attempt]).toEqual([1, 2]);
    await second.retry();
    expect(await one.deadLetters.get('job')).toMatchObject({ reason: 'failed', attempts: 2 });
  });

  it('refuses more than the queue may hold, and puts none of several then', async () => {
    const { one, other } = pairOn(stage, { maxSize: 2 });
    await one.enqueue('a', { id: 'a' });
    const two = other.enqueueAll([{ value: 'b' }, { value: 'c' }]);
    expect(await outcome(two)).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await other.enqueue('d');
    expect(await outcome(one.enqueue('e'))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(await one.enqueue('a', { id: 'a' })).toEqual({ id: 'a', created: false });
    const running = await one.receive();
    expect(await outcome(one.enqueue('f'))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await running.ack();
    await one.enqueue('g');
    expect(await takeAll(other, 2)).toEqual(['d', 'g']);
  });

  it('lets as many of a group run as it has slots, and does not let it get in the way of others', async () => {
    const { one, other } = pairOn(stage, { groupConcurrency: 2 });
    await one.enqueueAll([1, 2, 3, 4].map((i) => ({ value: `a${i}`, group: 'a' })));
    await one.enqueue('b1', { group: 'b' });
    await untilState(one, { ready: 3, grouped: 2 });
    const running = [await other.receive(), await one.receive(), await other.receive()];
    expect(running.map(({ value }) => value).sort()).toEqual(['a1', 'a2', 'b1']);
    await expectNothing(one);

    const [first, second] = running.filter(({ value }) => value !== 'b1');
    await first!.ack();
    const third = await one.receive();
    expect(third.value).toBe('a3');
    await expectNothing(one);
    await second!.fail('no');
    expect((await take(other)).value).toBe('a4');
  });

  it('stores what was put, and hands out what the schema makes of it', async () => {
    const { name, other } = pairOn(stage);
    const schema = z.object({
      count: z.string().regex(/^\d+$/).transform(Number),
      by: z.string().default('?'),
    });
    const one = stage.one.queue(name, { schema });
    await one.enqueue({ count: '1' });
    await one.enqueue({ count: '2' });
    const made: { count: number; by: string } = (await one.receive()).value;
    expect(made).toEqual({ count: 1, by: '?' });
    expect((await other.receive()).value).toEqual({ count: '2' });
  });

  it('refuses what a worker could not read: a Date is a text by then', async () => {
    const { name, one } = pairOn(stage);
    const dated = stage.one.queue(name, { schema: z.object({ at: z.date() }) });
    await expect(dated.enqueue({ at: new Date(0) })).rejects.toMatchObject({ code: 'INVALID_VALUE' });
    await expectNothing(one);
  });

  it('refuses what the schema does, and what JSON cannot carry, and puts nothing', async () => {
    const { name, one } = pairOn(stage);
    const checked = stage.one.queue(name, { schema: z.object({ count: z.number() }) });
    const bad = checked.enqueue({ count: 'many' } as never);
    expect(await outcome(bad)).toMatchObject({ code: 'INVALID_VALUE', issues: [{ path: ['count'] }] });
    const some = checked.enqueueAll([{ value: { count: 1 } }, { value: {} as never }]);
    expect(await outcome(some)).toMatchObject({ code: 'INVALID_VALUE' });
    expect(await outcome(one.enqueue(1n))).toBeInstanceOf(TypeError);
    await expectNothing(one);
  });

  it('puts what a stricter reader makes a dead letter of, and the next job is handed out', async () => {
    const { name, one } = pairOn(stage);
    await one.enqueue({ count: 'many' }, { id: 'bad' });
    await one.enqueue({ count: 5 });
    const strict = stage.other.queue(name, { schema: z.object({ count: z.number() }) });
    const { value } = await strict.receive();
    expect(value.count).toBe(5);
    expect(await one.waitFor('bad')).toMatchObject({ state: 'dead', reason: 'unreadable' });
    expect(await one.deadLetters.get('bad')).toMatchObject({ value: { count: 'many' } });
  });
}
