import { describe, expect, it } from 'vitest';
import {
  type Conclave,
  ConflictError,
  type Delivery,
  put,
  SessionLostError,
  type StandardSchema,
  WaitTimeoutError,
} from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { isClaim, isLook } from './requests.js';

/** Clients, each in a process of its own. */
async function clients(world: World, count: number): Promise<Conclave[]> {
  return Promise.all(Array.from({ length: count }, () => world.client()));
}

function valuesOf(deliveries: readonly Delivery[]): unknown[] {
  return deliveries.map(({ value }) => value);
}

describe('a receive', () => {
  it('is not given a job while its session is suspect', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 9_000 });
    const queue = client.queue('q');
    await queue.enqueue('warm-up');
    await (await world.run(queue.receive())).ack();
    await queue.enqueue('x');
    world.jumpWall(client, 60_000);

    const delivery = await world.run(queue.receive());

    expect(delivery.isHeld()).toBe(true);
    await delivery.ack();
  });

  it('of timeoutMs 0 does not wait, also while others of its process do', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    const waiting = queue.receive();
    await world.settle();

    const impatient = world.run(queue.receive({ timeoutMs: 0 }), { limitMs: 1_000 });

    await expect(impatient).rejects.toThrow(WaitTimeoutError);
    await queue.enqueue('x');
    const delivery = await world.run(waiting);
    expect(delivery.value).toBe('x');
    await delivery.ack();
  });

  it('of timeoutMs 0 looks anew although its process has just looked', async () => {
    await using world = await World.open();
    const [one, other] = await clients(world, 2);
    const queue = one!.queue('q');
    await one!.mutex('warm-up').run(() => {});
    world.delayReply(one!, { method: 'txn', where: isLook, ms: 200 });
    const givesUp = new AbortController();
    const waiting = outcome(queue.receive({ signal: givesUp.signal }));
    await world.advance(100); // it has looked, and does not know yet what it has seen
    await other!.queue('q').enqueue('x');
    await other!.queue('q').enqueue('y');

    const impatient = queue.receive({ timeoutMs: 0 });
    givesUp.abort();
    const delivery = await world.run(impatient, { limitMs: 1_000 });

    expect(delivery.value).toBe('x');
    await delivery.ack();
    expect(await waiting).toBeInstanceOf(DOMException);
  });

  it('that begins as the last one gives up waits on, though the watch of that one was still being opened', async () => {
    await using world = await World.open();
    const [one, other] = await clients(world, 2);
    await one!.mutex('warm-up').run(() => {});
    world.lagWatches(one!, 300);
    const queue = one!.queue('q');
    const givesUp = new AbortController();
    const last = outcome(queue.receive({ signal: givesUp.signal }));
    await world.advance(100);

    givesUp.abort();
    const next = outcome(queue.receive());
    await world.advance(1_000);
    await other!.queue('q').enqueue('x');
    await world.advance(1_000);

    expect(await last).toBeInstanceOf(DOMException);
    expect(await next).toMatchObject({ value: 'x' });
    await ((await next) as Delivery).ack();
  });

  it('of each of many processes gets a job when a paused queue with more jobs than they look at goes on', async () => {
    await using world = await World.open();
    const [producer, ...workers] = await clients(world, 25);
    const queue = producer!.queue('q');
    await queue.pause();
    await queue.enqueueAll(Array.from({ length: 40 }, (_, value) => ({ value })));
    const receiving = workers.map((worker) => worker.queue('q').receive());
    await world.advance(1_000);

    await queue.resume();
    const deliveries = await world.run(Promise.all(receiving), { limitMs: 5_000 });

    expect(new Set(valuesOf(deliveries)).size).toBe(workers.length);
    expect(Math.max(...valuesOf(deliveries).map(Number))).toBe(workers.length - 1);
    for (const delivery of deliveries) await delivery.ack();
  });

  it('under a session of its own ends when that is lost, though the store is away', async () => {
    await using world = await World.open();
    const client = await world.client();
    const session = await client.withSession({ ttlMs: 5_000 });
    const receiving = outcome(session.queue('q').receive());
    await world.settle();

    world.partition(client);
    await world.advance(6_000);

    expect(await world.run(receiving, { limitMs: 1 })).toBeInstanceOf(SessionLostError);
  });

  it('is not forgotten when it was to get the job of one that gave up, and the session is lost', async () => {
    await using world = await World.open();
    const client = await world.client();
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => (open = resolve));
    const schema: StandardSchema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => {
          await gate;
          return { value };
        },
      },
    };
    await (await world.client()).queue('q').enqueue('x');
    const queue = client.queue('q', { schema });
    const givesUp = new AbortController();
    const one = outcome(queue.receive({ signal: givesUp.signal }));
    await world.settle(); // claimed, and being checked
    const other = queue.receive();
    await world.settle();
    givesUp.abort(new Error('enough'));
    await world.expireSession(client);

    open();
    const delivery = await world.run(other);

    expect(await one).toMatchObject({ message: 'enough' });
    expect(delivery.value).toBe('x');
    await delivery.ack();
  });

  it('of a job that a newer version has put rejects, and leaves the job to others', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    await queue.enqueue('x', { id: 'new' });
    await world.store.put('conclave/queue/q/job/new', JSON.stringify({ v: 2, value: 'x' }));

    const received = await world.run(outcome(queue.receive()));

    expect(received).toBeInstanceOf(ConflictError);
    await world.advance(1_000);
    expect(await queue.inspect()).toMatchObject({ ready: 1, running: [] });
  });

  it('that waits hears of a record that a newer version has put', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    await (await world.client()).queue('q').enqueue('x', { id: 'old' });
    await (await queue.receive()).ack();
    const received = outcome(queue.receive());
    await world.advance(100);

    await world.store.put('conclave/queue/q/ready/0/00000000000fffff-0000/new', JSON.stringify({ v: 2 }));

    expect(await world.run(received)).toBeInstanceOf(ConflictError);
    await world.store.remove('conclave/queue/q/ready/0/00000000000fffff-0000/new');
  });

  it('that is under way when the Conclave closes gives the job back, uncounted', async () => {
    await using world = await World.open();
    const [client, other] = await clients(world, 2);
    await other!.queue('q').enqueue('x');
    await client!.mutex('warm-up').run(() => {});
    world.delayReply(client!, { method: 'txn', where: isClaim, ms: 300 });
    const received = outcome(client!.queue('q').receive());
    await world.settle();

    await world.run(Promise.all([client!.close(), received]));

    expect(await received).toMatchObject({ code: 'CLOSED' });
    expect(await other!.queue('q').inspect()).toMatchObject({ ready: 1, running: [] });
    const delivery = await other!.queue('q').receive();
    expect(delivery.attempt).toBe(1);
    await delivery.ack();
  });

  it('takes a job whose first worker does not run, although others leave meanwhile', async () => {
    await using world = await World.open();
    const [stuck, worker, producer, ...leaving] = await clients(world, 10);
    const stuckReceive = outcome(stuck!.queue('q').receive());
    await world.advance(100);
    const receiving = worker!.queue('q').receive();
    const left = leaving.map((client, i) => outcome(client.queue('q').receive({ timeoutMs: 200 + i * 150 })));
    await world.advance(100);
    world.pause(stuck!);
    await producer!.queue('q').enqueue('x');

    const delivery = await world.run(receiving, { limitMs: 500 });

    expect(delivery.value).toBe('x');
    await delivery.ack();
    await world.run(Promise.all(left));
    world.resume(stuck!);
    await producer!.queue('q').enqueue('y');
    await world.run(stuckReceive.then((got) => (got as Delivery).ack()));
  });

  it('finds a job that no watch has told of', async () => {
    await using world = await World.open();
    const [worker, producer] = await clients(world, 2);
    const receiving = worker!.queue('q').receive();
    await world.advance(100);
    world.lagWatches(worker!, 3_000_000);

    await put0(producer!);
    const delivery = await world.run(receiving, { limitMs: 40_000 });

    expect(delivery.value).toBe('x');
    await delivery.ack();
  });
});

async function put0(client: Conclave): Promise<void> {
  await client.queue('q').enqueue('x');
  await client.store.txn({ then: [put('elsewhere', '')] });
}
