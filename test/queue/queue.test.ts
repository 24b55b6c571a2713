import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it } from 'vitest';
import { prefix } from '../../src/index.js';
import { World } from '../../src/testing/world.js';

describe('a queue', () => {
  it('hands out what was put, in the order in which it was put', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    for (const value of ['a', 'b', 'c']) await queue.enqueue(value);
    const taken: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const delivery = await queue.receive();
      taken.push(delivery.value);
      await delivery.ack();
    }
    expect(taken).toEqual(['a', 'b', 'c']);
    expect(await queue.inspect()).toMatchObject({ ready: 0, running: [], dead: 0 });
  });

  it('gives a job to a worker that waits', async () => {
    await using world = await World.open();
    const worker = await world.client();
    const producer = await world.client();
    const receiving = worker.queue('q').receive();
    await world.settle();
    await producer.queue('q').enqueue({ x: 1 });
    await world.advance(1_000);
    const delivery = await receiving;
    expect(delivery.value).toEqual({ x: 1 });
    expect(delivery.attempt).toBe(1);
    await delivery.ack();
    await expect(delivery.retry()).rejects.toThrow('settled');
  });

  it('gives the job of a crashed worker to another', async () => {
    await using world = await World.open();
    const worker = await world.client({ sessionTtlMs: 5_000 });
    const other = await world.client();
    await other.queue('q').enqueue('x');
    await worker.queue('q').receive();
    await world.settle();
    const next = other.queue('q').receive();
    world.crash(worker);
    await world.advance(10_000);
    const delivery = await next;
    expect(delivery.attempt).toBe(2);
    await delivery.ack();
  });

  it('tries again what has failed, after a pause, and buries it in the end', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q', { attempts: 2 });
    const stop = new AbortController();
    const attempts: number[] = [];
    const working = queue.work(
      (delivery) => {
        attempts.push(delivery.attempt);
        throw new Error('no');
      },
      { signal: stop.signal },
    );
    await queue.enqueue('x', { id: 'one' });
    await world.advance(5_000);
    expect(attempts).toEqual([1, 2]);
    stop.abort();
    await world.advance(100);
    await working;
    expect(await queue.inspect()).toMatchObject({ ready: 0, running: [], dead: 1 });
    expect(await queue.enqueue('x', { id: 'one' })).toEqual({ id: 'one', created: false });
  });

  it('runs no more of a group than it has slots', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q', { groupConcurrency: 2 });
    let running = 0;
    let most = 0;
    const stop = new AbortController();
    const done: unknown[] = [];
    await queue.enqueueAll(Array.from({ length: 10 }, (_, i) => ({ value: i, group: 'g' })));
    const working = queue.work(
      async (delivery) => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => setImmediate(resolve));
        running--;
        done.push(delivery.value);
      },
      { concurrency: 5, signal: stop.signal },
    );
    await world.advance(2_000);
    expect(done).toHaveLength(10);
    expect(most).toBe(2);
    stop.abort();
    await working;
  });
});

describe('work', () => {
  it('tells the diagnostics channel what a handler has thrown', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q', { attempts: 1 });
    const told: unknown[] = [];
    const listen = (message: unknown): void => void told.push(message);
    subscribe('conclave:job-failed', listen);
    const stop = new AbortController();
    const error = new Error('no');
    const working = queue.work(
      () => {
        stop.abort();
        throw error;
      },
      { signal: stop.signal },
    );
    await queue.enqueue('x', { id: 'one' });
    await world.advance(1_000);
    await working;
    unsubscribe('conclave:job-failed', listen);
    // Told to stop: it was given back, and is no failure.
    expect(told).toEqual([]);

    subscribe('conclave:job-failed', listen);
    const again = new AbortController();
    const workingAgain = queue.work(
      () => {
        throw error;
      },
      { signal: again.signal, onError: () => again.abort() },
    );
    await world.advance(1_000);
    await workingAgain;
    unsubscribe('conclave:job-failed', listen);
    expect(told).toEqual([{ queue: 'queue "q"', id: 'one', attempt: 1, error }]);
  });
});

describe('enqueue with a delay', () => {
  it('is not taken before it is over', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x', { delayMs: 60_000 });
    const receiving = queue.receive();
    await world.advance(59_000);
    expect(await queue.inspect()).toMatchObject({ delayed: 1 });
    await world.advance(2_000);
    await (await receiving).ack();
  });

  it.each([[{ delayMs: -1 }], [{ delayMs: NaN }], [{ delayMs: 1, runAt: 1 }]])(
    'refuses %j before anything is sent',
    async (options) => {
      await using world = await World.open();
      const queue = (await world.client()).queue('q');
      await expect(queue.enqueue('x', options)).rejects.toThrow(/delayMs/);
    },
  );
});

describe('many objects for one queue in a process', () => {
  it('look after it once', async () => {
    await using world = await World.open();
    const client = await world.client();
    for (let i = 0; i < 5; i++) {
      await client.queue('q').enqueue(i);
      await (await client.queue('q').receive()).ack();
    }
    await world.settle();
    expect((await world.store.get(prefix('conclave/queue/q/upkeep/'))).count).toBe(1);
  });
});

describe('receive that does not wait', () => {
  it('says so if the store does not answer: that is not an empty queue', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    await queue.enqueue('x');
    world.partition(client);
    const told = queue.receive({ timeoutMs: 0 }).catch((error: unknown) => String(error));
    await world.advance(20_000);
    expect(await told).toMatch(/WaitTimeoutError: .*; .*(does not answer|UnavailableError|OutcomeUnknown)/);
    world.heal(client);
  });
});
