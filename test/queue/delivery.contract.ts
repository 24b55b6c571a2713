import { expect, it } from 'vitest';
import { HoldLostError } from '../../src/index.js';
import { outcome } from '../lock/observe.js';
import type { Stage } from '../lock/stage.js';
import { expectNothing, pairOn, take, takeAll, untilAborted, untilState } from './pair.js';

const hourMs = 3_600_000;

/** What `receive` promises, and what a worker can do with what it gives. */
export function deliveryContract(stage: Stage): void {
  it('with timeoutMs 0 is of a job that is there, or is refused at once', async () => {
    const { one, other } = pairOn(stage);
    await expectNothing(other);
    await one.enqueue('x');
    const delivery = await other.receive({ timeoutMs: 0 });
    expect(delivery.value).toBe('x');
    await expectNothing(one);
    await delivery.ack();
  });

  it('is waited for as long as the caller says', async () => {
    const { one, name } = pairOn(stage);
    expect(await outcome(one.receive({ timeoutMs: 20 }))).toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining(name) as unknown,
    });
    await untilState(one, { workers: 0 });
  });

  it('is not waited for any more when the signal aborts, and the job is for another', async () => {
    const { one, other } = pairOn(stage);
    const caller = new AbortController();
    const waiting = outcome(one.receive({ signal: caller.signal }));
    await untilState(other, { workers: 1 });
    const behind = other.receive();
    await untilState(other, { workers: 2 });

    caller.abort('enough');

    expect(await waiting).toBe('enough');
    await untilState(other, { workers: 1 });
    await other.enqueue('x');
    expect((await behind).value).toBe('x');
    await (await behind).ack();
  });

  it('is for one of many who wait, in one process and in others', async () => {
    const { one, other } = pairOn(stage);
    const waiting = [one, other, one, one, other, other].map((queue) => queue.receive());
    await untilState(one, { workers: 2 });
    await one.enqueueAll([0, 1, 2, 3, 4, 5].map((value) => ({ value })));
    const deliveries = await Promise.all(waiting);
    expect(deliveries.map(({ value }) => value).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const ids = new Set(deliveries.map(({ id }) => id));
    expect(ids.size).toBe(6);
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
    await untilState(one, { ready: 0, running: [], workers: 0 });
  });

  it('that is acknowledged is over: the job is gone, and nothing else can be said of it', async () => {
    const { one, other } = pairOn(stage);
    const { id } = await one.enqueue('x');
    const delivery = await other.receive();
    expect(delivery).toMatchObject({ id, attempt: 1, isCancelled: false });
    expect(await stage.one.store.txn({ if: delivery.guard() })).toMatchObject({ succeeded: true });

    await delivery.ack({ sum: 3 });

    expect(await one.waitFor(id)).toEqual({ state: 'completed', result: { sum: 3 } });
    expect(delivery.isHeld()).toBe(false);
    expect(delivery.signal.aborted).toBe(false);
    expect(await stage.one.store.txn({ if: delivery.guard() })).toMatchObject({ succeeded: false });
    expect(await outcome(delivery.retry())).toMatchObject({ code: 'CONFLICT' });
    expect(await outcome(delivery.fail('no'))).toMatchObject({ code: 'CONFLICT' });
    await expectNothing(one);
  });

  it('that is retried goes to the end of the line, and counts', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueueAll([{ value: 'a' }, { value: 'b' }]);
    const first = await other.receive();
    await first.retry({ delayMs: 0, error: new Error('busy') });
    expect((await take(one)).value).toBe('b');
    const again = await one.receive();
    expect(again).toMatchObject({ id: first.id, value: 'a', attempt: 2 });
    expect(again.fencingToken).toBeGreaterThan(first.fencingToken);
    await again.ack();
  });

  it('that is retried waits as long as the worker says', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueueAll([{ value: 'soon' }, { value: 'late' }]);
    const soon = await other.receive();
    await (await other.receive()).retry({ delayMs: hourMs });
    await soon.retry({ delayMs: 10 });
    expect(await take(one)).toMatchObject({ value: 'soon', attempt: 2 });
    expect(await one.inspect()).toMatchObject({ delayed: 1, ready: 0 });
  });

  it('that fails makes a dead letter of the job, however many attempts are left', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('x', { id: 'job', attempts: 9 });
    await (await other.receive()).fail(new TypeError('never'));
    expect(await one.deadLetters.get('job')).toMatchObject({
      reason: 'failed',
      error: 'TypeError: never',
      attempts: 1,
    });
    await expectNothing(one);
  });

  it.each(['released', 'disposed of'])('that is %s gives the job back, uncounted', async (how) => {
    const { one, other } = pairOn(stage);
    await one.enqueueAll([{ value: 'a' }, { value: 'b' }]);
    const first = await other.receive();
    if (how === 'released') await first.release();
    else await first[Symbol.asyncDispose]();
    const next = await one.receive({ timeoutMs: 0 });
    const again = await one.receive({ timeoutMs: 0 });
    expect([next.value, again.value]).toEqual(['b', 'a']);
    expect(again.attempt).toBe(1);
    expect(await outcome(first.ack())).toMatchObject({ code: 'CONFLICT' });
    await Promise.all([next.ack(), again.ack()]);
  });

  it('tells how far it is, for others to see', async () => {
    const { one, other } = pairOn(stage);
    const { id } = await one.enqueue('x');
    await using delivery = await other.receive();
    await delivery.progress({ done: 0.25 });
    await delivery.progress({ done: 0.5 });
    expect(await one.inspect()).toMatchObject({
      running: [{ id, attempt: 1, progress: { done: 0.5 }, isOrphan: false }],
    });
    expect(await outcome(delivery.progress(1n))).toBeInstanceOf(TypeError);
    expect(delivery.isHeld()).toBe(true);
  });

  it('that finds its claim gone when it tells how far it is tells its worker to stop', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('x');
    const lost = await other.receive();
    await stage.one.store.remove(lost.key);

    expect(await outcome(lost.progress('half'))).toBeInstanceOf(HoldLostError);

    expect(lost.signal.reason).toBeInstanceOf(HoldLostError);
    expect(lost.isHeld()).toBe(false);
    expect(await take(one)).toMatchObject({ id: lost.id, attempt: 2 });
  });

  it('whose claim was deleted by hand is lost: its ack is refused, and the job goes to another', async () => {
    const { one, other } = pairOn(stage);
    await one.enqueue('x');
    const lost = await other.receive();
    await stage.one.store.remove(lost.key);

    expect(await outcome(lost.ack('late'))).toBeInstanceOf(HoldLostError);
    expect(lost.isHeld()).toBe(false);

    const next = await one.receive();
    expect(next).toMatchObject({ id: lost.id, attempt: 2 });
    expect(next.fencingToken).toBeGreaterThan(lost.fencingToken);
    await next.ack();
  });

  it.each(['retry', 'fail', 'release'] as const)(
    'whose claim was deleted by hand is told so when it is to %s, and changes nothing',
    async (method) => {
      const { one, other } = pairOn(stage);
      await one.enqueue('x');
      const lost = await other.receive();
      await stage.one.store.remove(lost.key);
      const said = {
        retry: () => lost.retry(),
        fail: () => lost.fail('no'),
        release: () => lost.release(),
      };
      expect(await outcome(said[method]())).toBeInstanceOf(HoldLostError);
      expect(lost.isHeld()).toBe(false);
      expect(await take(one)).toMatchObject({ id: lost.id, attempt: 2 });
      await untilState(one, { dead: 0, ready: 0, delayed: 0 });
    },
  );

  it('of a session that is revoked is lost, and the job is delivered again, counted', async () => {
    const { name, one } = pairOn(stage);
    const own = await stage.other.withSession();
    await one.enqueue('x');
    const lost = await own.queue(name).receive();
    const next = one.receive();

    await stage.one.store.lease.revoke(own.leaseId);

    const delivery = await next;
    expect(delivery).toMatchObject({ id: lost.id, attempt: 2 });
    await untilAborted(lost.signal);
    expect(await outcome(lost.ack())).toMatchObject({ code: 'HOLD_LOST' });
    await delivery.ack();
    await own.close();
  });

  it('is given back by close, at once and uncounted, and who waits for one is turned away', async () => {
    const { name, one } = pairOn(stage);
    const closing = stage.another();
    await one.enqueueAll([{ value: 'x' }, { value: 'y' }]);
    const theirs = closing.queue(name);
    const deliveries = [await theirs.receive(), await theirs.receive()];
    const waiting = outcome(theirs.receive());
    await untilState(one, { workers: 1 });

    await closing.close();

    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(theirs.receive())).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(theirs.enqueue('z'))).toMatchObject({ code: 'CLOSED' });
    const again = [await one.receive({ timeoutMs: 0 }), await one.receive({ timeoutMs: 0 })];
    expect(again.map(({ attempt }) => attempt)).toEqual([1, 1]);
    expect(again.map(({ id }) => id).sort()).toEqual(deliveries.map(({ id }) => id).sort());
    await Promise.all(again.map((delivery) => delivery.ack()));
    expect(await takeAll(one, 0)).toEqual([]);
  });
}
