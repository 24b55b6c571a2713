import { describe, expect, it } from 'vitest';
import { toText } from '../../src/base/bytes.js';
import type { Delivery, KeyValue } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { isClaim, isEnqueue, isReclaim } from './requests.js';

const grants = (world: World, client: Parameters<World['calls']>[0]): number =>
  world.calls(client).filter(({ method }) => method === 'leaseGrant').length;

describe('a cancel', () => {
  it('whose session is lost before it arrives is done under the next one, which lives on', async () => {
    await using world = await World.open();
    const worker = await world.client({ sessionTtlMs: 60_000 });
    const client = await world.client({ sessionTtlMs: 12_000 });
    await client.queue('q').enqueue('x', { id: 'one' });
    const delivery = await worker.queue('q').receive();
    world.lagWatches(client, 5_000); // it does not hear of the end of its session
    await world.expireSession(client);
    const before = grants(world, client);

    expect(await world.run(client.queue('q').cancel('one'))).toBe('running');
    const hold = await client.mutex('m').acquire();
    await world.advance(20_000);

    expect(hold.isHeld()).toBe(true);
    expect(grants(world, client)).toBe(before + 1);
    expect(delivery.isCancelled).toBe(true);
  });

  it('of a job that waits costs no session if somebody has revoked the lease of the results', async () => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    const hold = await client.mutex('m').acquire();
    await queue.enqueue('x', { id: 'one' });
    await queue.enqueue('y', { id: 'two' });
    await queue.cancel('one');
    const [result] = (await world.store.get('conclave/queue/q/result/one')).kvs;
    await world.store.lease.revoke((result as KeyValue).lease);

    expect(await world.run(queue.cancel('two'))).toBe('waiting');
    expect(hold.isHeld()).toBe(true);
    expect(await queue.waitFor('two')).toEqual({ state: 'cancelled' });
  });

  it('that lands between the look of whoever gives the job of a lost worker to others and the change is not lost', async () => {
    await using world = await World.open();
    const worker = await world.client({ sessionTtlMs: 12_000 });
    const other = await world.client({ sessionTtlMs: 12_000 });
    const third = await world.client();
    await other.queue('q').enqueue('x', { id: 'one' });
    await worker.queue('q').receive();
    const next = outcome(other.queue('q').receive({ timeoutMs: 30_000 }));
    await world.advance(1_000);
    let cancelled: Promise<unknown> | undefined;
    world.delayRequest(other, {
      method: 'txn',
      where: (request) => {
        if (!isReclaim(request)) return false;
        cancelled ??= third.queue('q').cancel('one');
        return true;
      },
      ms: 1_000,
      isSilent: true,
    });

    await world.expireSession(worker);
    await world.advance(35_000);

    expect(await cancelled).toBe('running');
    expect(await next).toMatchObject({ code: 'WAIT_TIMEOUT' });
    expect(await other.queue('q').waitFor('one')).toEqual({ state: 'cancelled' });
  });
});

describe('an enqueue', () => {
  it('of which only the receipt tells that it was done does not claim that nothing was put', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 60_000 });
    world.dropReply(client, { method: 'txn', where: isEnqueue });
    // What it had put cannot be read then.
    for (let i = 0; i < 60; i++) {
      world.dropRequest(client, {
        method: 'txn',
        where: ({ then }) => then.every((op) => op.kind === 'get' && op.revision > 0n),
      });
    }

    const enqueued = await world.run(outcome(client.queue('q').enqueue('x', { id: 'one' })));

    expect(enqueued).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect((await world.store.get('conclave/queue/q/job/one')).kvs).toHaveLength(1);
  });

  it('puts the value as it was when it was called, and fails none that goes with it', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    const value: { n: unknown } = { n: 1 };
    const enqueued = Promise.all([queue.enqueue(value), queue.enqueue('other')]);
    await Promise.resolve();
    value.n = 10n; // JSON cannot carry it

    expect(await enqueued).toMatchObject([{ created: true }, { created: true }]);
    expect((await queue.receive()).value).toEqual({ n: 1 });
  });
});

describe('work', () => {
  it.each([
    ['has no text', Object.create(null) as unknown],
    ['has a text that is none', { toString: () => Symbol('text') }],
  ])('counts a failure with something that %s', async (_, thrown) => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q', { attempts: 1 });
    await queue.enqueue('x', { id: 'one' });
    const stop = new AbortController();
    const work = (): never => {
      throw thrown;
    };
    const working = outcome(queue.work(work, { signal: stop.signal }));
    await world.advance(1_000);

    expect(await queue.deadLetters.get('one')).toMatchObject({ reason: 'failed' });
    stop.abort();
    expect(await world.run(working)).toBeUndefined();
  });

  it('ends with all its workers when onError throws', async () => {
    await using world = await World.open();
    const [worker, other] = [await world.client(), await world.client()];
    const ran: unknown[] = [];
    const working = outcome(
      worker.queue('q').work(
        async ({ value, key }) => {
          ran.push(value);
          if (ran.length === 1) await world.store.remove(key); // the ack will find it lost
        },
        {
          concurrency: 2,
          onError: () => {
            throw new Error('from onError');
          },
        },
      ),
    );
    await other.queue('q').enqueue('first');
    await world.advance(1_000);

    expect(await world.run(working)).toMatchObject({ message: 'from onError' });
    const count = ran.length;
    await other.queue('q').enqueue('second');
    await world.advance(5_000);
    expect(ran).toHaveLength(count);
  });
});

describe('a job', () => {
  it('of a group that may run any number at a time is run', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q', { groupConcurrency: Number.MAX_SAFE_INTEGER });
    await queue.enqueue('x', { group: 'g' });

    await (await world.run(queue.receive({ timeoutMs: 10_000 }))).ack();
  });

  it('that is to be tried again after an infinite time is not tried again', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    await queue.enqueue('x');
    await (await queue.receive()).retry({ delayMs: Infinity });

    const next = outcome(queue.receive({ timeoutMs: 600_000 }));
    await world.advance(600_000);

    expect(await next).toMatchObject({ code: 'WAIT_TIMEOUT' });
  });

  it('that a worker whose clock is minutes behind gives back for later is tried at once', async () => {
    await using world = await World.open();
    const [other, worker] = [await world.client(), await world.client()];
    await other.queue('q').enqueue('x');
    // It looks after the queue.
    await (await other.queue('q').receive()).retry({ delayMs: 100 });
    await world.advance(2_000);
    world.jumpWall(worker, -200_000);
    await (await worker.queue('q').receive()).retry({ delayMs: 100 });

    await world.run(worker.queue('q').receive({ timeoutMs: 10_000 }));
  });
});

describe('a receive', () => {
  it.each([
    [1, 1],
    [1, 3],
    [3, 3],
    [3, 5],
  ])('of %i of %i jobs whose request is doubled, and answered once, takes these', async (wanted, count) => {
    await using world = await World.open();
    const client = await world.client();
    const queue = client.queue('q');
    for (let i = 0; i < count; i++) await queue.enqueue(i);
    let isDoubled = false;
    world.dropRequest(client, {
      method: 'txn',
      where: (request) => {
        if (!isDoubled && isClaim(request)) {
          isDoubled = true;
          world.engine.execute('txn', request); // a copy, whose answer nobody hears
        }
        return false;
      },
    });

    const receive = (): Promise<Delivery> => queue.receive({ timeoutMs: 10_000 });
    const taken = await world.run(Promise.all(Array.from({ length: wanted }, receive)));

    expect(isDoubled).toBe(true);
    expect(taken.map(({ value }) => value)).toEqual(Array.from({ length: wanted }, (_, i) => i));
    expect(await queue.inspect()).toMatchObject({ ready: count - wanted });
    for (const delivery of taken) await delivery.ack();
    for (let i = wanted; i < count; i++) await (await receive()).ack();
  });

  it('of timeoutMs 0 does not wait for a store that is over its quota, and the job is not lost', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 60_000 });
    const queue = client.queue('q');
    await queue.enqueue('x');
    await (await queue.receive()).release();
    world.engine.noSpace = true;

    const received = world.run(outcome(queue.receive({ timeoutMs: 0 })));

    expect(await received).toMatchObject({ code: 'WAIT_TIMEOUT' });
    world.engine.noSpace = false;
    await (await world.run(queue.receive({ timeoutMs: 10_000 }))).ack();
  });

  it('that begins while the store is over its quota waits on', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 60_000 });
    const other = (await world.client()).queue('q');
    await (await client.mutex('m').acquire()).release();
    world.engine.noSpace = true;
    const received = client.queue('q').receive({ timeoutMs: 60_000 });
    await world.advance(10_000);
    world.engine.noSpace = false;
    await other.enqueue('x');

    await (await world.run(received)).ack();
  });
});

describe('a job that a newer version has put', () => {
  /** As if a newer version had. */
  async function renew(world: World, id: string): Promise<void> {
    const key = `conclave/queue/q/job/${id}`;
    const { kvs } = await world.store.get(key);
    await world.store.put(key, toText((kvs[0] as KeyValue).value).replace('"v":1', '"v":2'));
  }

  it('keeps no other from getting ready in time, however many there are', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    const runAt = 1_700_000_000_000 + world.now() + 1_000;
    for (let i = 0; i < 30; i++) {
      await queue.enqueue('new', { id: `a${i}`, runAt });
      await renew(world, `a${i}`);
    }
    await queue.enqueue('old', { id: 'b', runAt: runAt + 1_000 });

    const delivery = await world.run(queue.receive({ timeoutMs: 20_000 }));

    expect(delivery.id).toBe('b');
    await delivery.ack();
  });

  it('keeps no other from being given to somebody else when its worker is lost', async () => {
    await using world = await World.open();
    const queue = (await world.client()).queue('q');
    const lost = await world.client({ sessionTtlMs: 5_000 });
    for (const id of ['a', 'b']) await queue.enqueue(id, { id });
    for (let i = 0; i < 2; i++) await lost.queue('q').receive();
    await renew(world, 'a');
    world.crash(lost);

    const delivery = await world.run(queue.receive({ timeoutMs: 50_000 }));

    expect(delivery.id).toBe('b');
    await delivery.ack();
    // Nobody here can finish it.
    for (const area of ['job', 'active']) await world.store.remove(`conclave/queue/q/${area}/a`);
  });
});
