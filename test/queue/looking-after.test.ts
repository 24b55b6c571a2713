import { describe, expect, it } from 'vitest';
import type { Conclave } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { isCancel, isClaim, isEnqueue, isPromotion, isReclaim } from './requests.js';

async function clients(world: World, count: number): Promise<Conclave[]> {
  return Promise.all(Array.from({ length: count }, () => world.client({ sessionTtlMs: 12_000 })));
}

describe('a job of a lost worker', () => {
  it('is not given to another if it is cancelled just before', async () => {
    await using world = await World.open();
    const [worker, other, third] = await clients(world, 3);
    await other!.queue('q').enqueue('x', { id: 'one' });
    await worker!.queue('q').receive();
    const next = outcome(other!.queue('q').receive({ timeoutMs: 30_000 }));
    await world.advance(1_000);
    world.delayRequest(other!, { method: 'txn', where: isReclaim, ms: 500, isSilent: true });
    world.crash(worker!);
    for (let i = 0; i < 100 && !(await isOrphan(other!)); i++) await world.advance(200);

    const cancelled = await world.run(third!.queue('q').cancel('one'));
    await world.advance(30_000);

    expect(cancelled).toBe('running');
    expect(await next).toMatchObject({ code: 'WAIT_TIMEOUT' });
    expect(await other!.queue('q').inspect()).toMatchObject({ ready: 0, running: [] });
  });

  it('is a dead letter after so many crashes, and makes place for the next of its group at once', async () => {
    await using world = await World.open();
    const [producer, last] = await clients(world, 2);
    const options = { maxCrashes: 2 };
    await producer!.queue('q', options).enqueueAll([
      { value: 'poison', group: 'g' },
      { value: 'next', group: 'g' },
    ]);
    await world.advance(100);
    for (let i = 0; i < 2; i++) {
      const worker = await world.client({ sessionTtlMs: 3_000 });
      const delivery = await world.run(worker.queue('q', options).receive());
      expect(delivery).toMatchObject({ value: 'poison', attempt: i + 1 });
      world.crash(worker);
      if (i === 0) void outcome(last!.queue('q', options).receive({ timeoutMs: 1 }));
      await world.advance(8_000);
    }

    const next = await world.run(last!.queue('q', options).receive(), { limitMs: 20_000 });

    expect(next.value).toBe('next');
    expect(await last!.queue('q').inspect()).toMatchObject({ dead: 1 });
    await next.ack();
  });

  it('goes to the end though its worker dies while that is being done by one who dies as well', async () => {
    await using world = await World.open();
    const [keeper, other, producer] = await clients(world, 3);
    const worker = await world.client({ sessionTtlMs: 3_000 });
    await producer!.queue('q').enqueue('x');
    await worker.queue('q').receive();
    void outcome(keeper!.queue('q').receive());
    await world.advance(1_000);
    const next = other!.queue('q').receive();
    await world.advance(1_000);
    world.onProbe('queue.orphans', () => world.crash(keeper!), { client: keeper! });
    world.crash(worker);

    const delivery = await world.run(next);

    expect(delivery.attempt).toBe(2);
    await delivery.ack();
  });
});

describe('a group', () => {
  it('goes on at once when a job of it has expired', async () => {
    await using world = await World.open();
    const [client] = await clients(world, 1);
    const queue = client!.queue('q');
    await queue.enqueue('late', { group: 'g', expiresAt: 1 });
    await queue.enqueue('next', { group: 'g' });
    await world.advance(100);

    const delivery = await world.run(queue.receive(), { limitMs: 5_000 });

    expect(delivery.value).toBe('next');
    await delivery.ack();
  });

  it('has no more slots than whoever fills it knows of, though others have filled more', async () => {
    await using world = await World.open();
    const [many, few] = await clients(world, 2);
    const generous = many!.queue('q', { groupConcurrency: 4 });
    await generous.enqueueAll(Array.from({ length: 4 }, (_, value) => ({ value, group: 'g' })));
    await world.advance(100);
    const first = await generous.receive();
    await generous.receive();

    const strict = few!.queue('q', { groupConcurrency: 1 });
    await strict.enqueue('more', { group: 'g' });
    await world.advance(1_000);
    await world.store.remove(first.key); // only so that nobody fills by 4
    await strict.enqueue('still more', { group: 'g' });
    await world.advance(100);

    expect((await strict.inspect()).grouped).toBe(2);
  });
});

describe('a delayed job', () => {
  it('comes at its time although the watch on such jobs was compacted away', async () => {
    await using world = await World.open();
    const [worker, producer] = await clients(world, 2);
    const received = worker!.queue('q').receive();
    await world.advance(1_000);
    world.compactUnderWatches(worker!);
    await world.advance(1_000);

    await producer!.queue('q').enqueue('x', { runAt: await wallNow(producer!, 3_000) });
    const delivery = await world.run(received, { limitMs: 3_500 });

    await delivery.ack();
  });

  it('of a program whose clock is far behind comes as soon as it is there', async () => {
    await using world = await World.open();
    const [worker, producer] = await clients(world, 2);
    const received = worker!.queue('q').receive();
    await world.advance(30_000);
    const now = await wallNow(producer!, 0);
    world.jumpWall(producer!, -200_000);

    await producer!.queue('q').enqueue('x', { runAt: now - 100_000 });
    const delivery = await world.run(received, { limitMs: 2_000 });

    await delivery.ack();
  });

  it('refused because the floor has moved meanwhile is tried again soon', async () => {
    await using world = await World.open();
    const [worker, producer] = await clients(world, 2);
    const received = worker!.queue('q').receive();
    await world.advance(1_000);
    await producer!.queue('q').enqueue('x', { runAt: await wallNow(producer!, 1_000) });
    world.delayRequest(worker!, { method: 'txn', where: isPromotion, ms: 100, isSilent: true });
    await world.advance(1_050);
    const beyond = (world.revision + 0n).toString(16).padStart(16, '0');
    await world.store.put('conclave/queue/q/floor/ready/0', beyond);
    await world.store.put('elsewhere', '');

    const delivery = await world.run(received, { limitMs: 2_000 });

    await delivery.ack();
  });
});

describe('cancel', () => {
  it('ends a waiting job although the lease for what is kept is gone', async () => {
    await using world = await World.open();
    const [client] = await clients(world, 1);
    const queue = client!.queue('q');
    await queue.enqueue('a', { id: 'a' });
    await queue.enqueue('b', { id: 'b' });
    expect(await queue.cancel('a')).toBe('waiting');
    const [kept] = (await world.store.get('conclave/queue/q/result/a')).kvs;
    await world.store.lease.revoke(kept!.lease);
    const lost = (await client!.mutex('m').acquire()).signal;

    expect(await world.run(queue.cancel('b'))).toBe('waiting');

    expect(lost.aborted).toBe(false);
    expect(await queue.inspect()).toMatchObject({ ready: 0 });
  });

  it('tells a worker although its own session is lost meanwhile', async () => {
    await using world = await World.open();
    const [worker, other] = await clients(world, 2);
    await worker!.queue('q').enqueue('x', { id: 'one' });
    const delivery = await worker!.queue('q').receive();
    await other!.mutex('m').run(() => {});
    world.delayRequest(other!, { method: 'txn', where: isCancel, ms: 60_000 });

    const cancelled = other!.queue('q').cancel('one');
    await world.expireSession(other!);

    expect(await world.run(cancelled)).toBe('running');
    expect(delivery.isCancelled).toBe(true);
    await delivery.ack();
  });

  it('before the handler begins ends the job, and the work goes on', async () => {
    await using world = await World.open();
    const [worker, other] = await clients(world, 2);
    await other!.queue('q').enqueue('x', { id: 'one' });
    world.delayReply(worker!, { method: 'txn', where: isClaim, ms: 500 });
    const seen: unknown[] = [];
    const errors: unknown[] = [];
    const stop = new AbortController();
    const working = worker!.queue('q').work((delivery) => seen.push(delivery.value), {
      signal: stop.signal,
      onError: (error) => errors.push(error),
    });
    await world.advance(100);
    const cancelled = other!.queue('q').cancel('one');
    await world.advance(1_000);
    await other!.queue('q').enqueue('y');
    await world.advance(1_000);
    stop.abort();
    await world.run(working);

    expect(await cancelled).toBe('running');
    expect(seen).toEqual(['y']);
    expect(await other!.queue('q').inspect()).toMatchObject({ ready: 0, running: [] });
  });
});

describe('enqueue', () => {
  it('that was done but cannot find out which jobs were new does not say that nothing was put', async () => {
    await using world = await World.open();
    const [client] = await clients(world, 1);
    await client!.mutex('m').run(() => {});
    world.dropReply(client!, { method: 'txn', where: isEnqueue });
    world.dropRequest(client!, {
      method: 'txn',
      where: ({ if: conditions, then: [first] }) => {
        const isQuestion = conditions.length === 0 && first?.kind === 'get' && first.revision > 0n;
        if (isQuestion) world.partition(client!);
        return isQuestion;
      },
    });

    const seen = outcome(client!.queue('q').enqueue('x', { id: 'one' }));
    const error = await world.run(seen);

    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    world.heal(client!);
    expect((await world.store.get('conclave/queue/q/job/one')).kvs).toHaveLength(1);
  });

  it('of an id that is there is no new job, also if the queue is full', async () => {
    await using world = await World.open();
    const [client] = await clients(world, 1);
    const queue = client!.queue('q', { maxSize: 1 });
    await queue.enqueue('x', { id: 'one' });

    expect(await queue.enqueue('x', { id: 'one' })).toEqual({ id: 'one', created: false });
    await expect(queue.enqueue('y', { id: 'two' })).rejects.toThrow('full');
  });
});

async function isOrphan(client: Conclave): Promise<boolean> {
  const { running } = await client.queue('q').inspect();
  return running.some((job) => job.isOrphan);
}

/** The wall clock of a client, so many milliseconds later. */
async function wallNow(client: Conclave, laterMs: number): Promise<number> {
  const delivery = await (async () => {
    const queue = client.queue('clock');
    await queue.enqueue('');
    return queue.receive();
  })();
  await delivery.ack();
  return delivery.enqueuedAt.getTime() + laterMs;
}
