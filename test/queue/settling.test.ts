import { describe, expect, it } from 'vitest';
import {
  type Conclave,
  ConflictError,
  type Delivery,
  HoldLostError,
  OutcomeUnknownError,
  ResourceExhaustedError,
} from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { isReclaim, isSettlement } from './requests.js';

interface Stage {
  readonly worker: Conclave;
  readonly other: Conclave;
  readonly delivery: Delivery;
}

/** A worker with the only job of a queue, and somebody else. */
async function stage(world: World, options: { id?: string } = {}): Promise<Stage> {
  const worker = await world.client({ sessionTtlMs: 12_000 });
  const other = await world.client({ sessionTtlMs: 12_000 });
  await other.queue('q').enqueue('x', options);
  const delivery = await worker.queue('q').receive();
  return { worker, other, delivery };
}

describe('an ack', () => {
  it('that was lost, with the session, is unknown: not done because the claim is gone', async () => {
    await using world = await World.open();
    const { worker, other, delivery } = await stage(world);
    world.lagWatches(worker, 5_000); // it does not hear of the end of its session
    world.dropRequest(worker, { method: 'txn', where: isSettlement });
    const next = other.queue('q').receive();

    const acked = outcome(delivery.ack());
    await world.expireSession(worker);
    const again = await world.run(next);

    expect(await world.run(acked)).toBeInstanceOf(OutcomeUnknownError);
    expect(again.attempt).toBe(2);
    await again.ack();
  });

  it.each(['before', 'after'])(
    'that was lost is not done because somebody removes the claim, %s another has the job',
    async (when) => {
      await using world = await World.open();
      const { worker, other, delivery } = await stage(world);
      const next = when === 'after' ? other.queue('q').receive() : undefined;
      world.lagWatches(worker, 5_000);
      world.dropRequest(worker, { method: 'txn', where: isSettlement });

      const acked = outcome(delivery.ack());
      await world.store.remove(delivery.key);
      const again = next && (await world.run(next));

      expect(await world.run(acked)).toBeInstanceOf(HoldLostError);
      await (again ?? (await world.run(other.queue('q').receive()))).ack();
    },
  );

  it('whose answer was lost is done', async () => {
    await using world = await World.open();
    const { worker, other, delivery } = await stage(world);
    world.dropReply(worker, { method: 'txn', where: isSettlement });

    await world.run(delivery.ack());

    expect(await other.queue('q').inspect()).toMatchObject({ ready: 0, running: [] });
  });

  it('that is under way when the session ends by the clock is unknown', async () => {
    await using world = await World.open();
    const { worker, other, delivery } = await stage(world);
    world.partition(worker, { blocks: 'replies' });

    const acked = outcome(delivery.ack());
    await world.advance(18_000); // the time of a request longer, for its answer may still come

    expect(await acked).toBeInstanceOf(OutcomeUnknownError);
    expect(await other.queue('q').inspect()).toMatchObject({ ready: 0, running: [] });
  });

  it('of a worker that stood still past its time rejects, and another does the job, once', async () => {
    await using world = await World.open();
    const { worker, other, delivery } = await stage(world);
    const next = other.queue('q').receive();
    world.pause(worker);
    await world.advance(20_000);
    const again = await next;
    await again.ack();
    world.resume(worker);

    await expect(delivery.ack()).rejects.toThrow(HoldLostError);
    expect(again.attempt).toBe(2);
    expect(await other.queue('q').inspect()).toMatchObject({ ready: 0, running: [], dead: 0 });
  });

  it.each(['disposed of', 'released'])(
    'of a delivery that was %s rejects: it was given back',
    async (how) => {
      await using world = await World.open();
      const { other, delivery } = await stage(world);
      if (how === 'released') await delivery.release();
      else await delivery[Symbol.asyncDispose]();

      await expect(delivery.ack()).rejects.toThrow(ConflictError);
      await expect(delivery.retry()).rejects.toThrow(ConflictError);

      const next = await other.queue('q').receive();
      expect(next.attempt).toBe(1);
      await next.ack();
    },
  );

  it('with a result that is too large, or none for JSON, rejects, and the delivery still stands', async () => {
    await using world = await World.open();
    const { other, delivery } = await stage(world, { id: 'one' });

    await expect(delivery.ack('x'.repeat(1_000_000))).rejects.toThrow(RangeError);
    await expect(delivery.ack(() => {})).rejects.toThrow(TypeError);
    await expect(delivery.progress('x'.repeat(1_000_000))).rejects.toThrow(RangeError);

    expect(delivery.isHeld()).toBe(true);
    await delivery.ack('small');
    expect(await other.queue('q').inspect()).toMatchObject({ ready: 0, running: [] });
  });
});

describe('while the store is over its quota', () => {
  it('an ack works, with a result or without', async () => {
    await using world = await World.open();
    const { worker, other, delivery } = await stage(world);
    await other.queue('q').enqueue('y');
    const second = await worker.queue('q').receive();
    world.engine.noSpace = true;

    await world.run(delivery.ack());
    await world.run(second.ack('a result that cannot be kept'));

    world.engine.noSpace = false;
    expect(await other.queue('q').inspect()).toMatchObject({ ready: 0, running: [] });
  });

  it('enqueue rejects', async () => {
    await using world = await World.open();
    const { other, delivery } = await stage(world);
    world.engine.noSpace = true;

    const enqueued = await world.run(outcome(other.queue('q').enqueue('y')));

    expect(enqueued).toBeInstanceOf(OutcomeUnknownError);
    world.engine.noSpace = false;
    await delivery.ack();
  });

  it('a retry rejects, and comes through when there is space', async () => {
    await using world = await World.open();
    const { other, delivery } = await stage(world);
    world.engine.noSpace = true;

    const retried = await world.run(outcome(delivery.retry({ delayMs: 0 })));

    expect(retried).toBeInstanceOf(ResourceExhaustedError);
    world.engine.noSpace = false;
    const again = await world.run(other.queue('q').receive());
    expect(again.attempt).toBe(2);
    await again.ack();
  });

  it('what was cancelled ends as soon as there is space', async () => {
    await using world = await World.open();
    const { other, delivery } = await stage(world, { id: 'one' });
    await other.queue('q').cancel('one');
    await world.settle();
    expect(delivery.isCancelled).toBe(true);
    world.engine.noSpace = true;

    const returned = await world.run(outcome(delivery.release()));

    expect(returned).toBeInstanceOf(ResourceExhaustedError);
    world.engine.noSpace = false;
    await world.advance(2_000);
    expect(await other.queue('q').inspect()).toMatchObject({ ready: 0, running: [] });
  });
});

describe('a cancel', () => {
  it('that comes between the look of whoever gives the job of a lost worker to others and that ends the job', async () => {
    await using world = await World.open();
    const { worker, other } = await stage(world, { id: 'one' });
    const third = await world.client();
    const next = outcome(other.queue('q').receive({ timeoutMs: 20_000 }));
    await world.advance(1_000);
    let cancelled: Promise<unknown> | undefined;
    world.delayRequest(other, { method: 'txn', where: isReclaim, ms: 1_000 });
    world.onProbe('queue.orphans', () => {
      cancelled ??= third.queue('q').cancel('one');
    });

    await world.expireSession(worker);
    await world.advance(25_000);

    expect(await cancelled).toBe('running');
    expect(await next).toMatchObject({ code: 'WAIT_TIMEOUT' });
  });
});
