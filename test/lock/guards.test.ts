import { describe, expect, it } from 'vitest';
import { put, remove } from '../../src/index.js';
import { World, type RequestTo } from '../../src/testing/index.js';
import { outcome, ticketsOf } from './observe.js';

/** Guards that no other test would miss; the mutants in `test/mutants` take them away. */
describe('a waiter', () => {
  it('stands behind an older ticket, whatever their keys are', async () => {
    await using world = await World.open();
    const [low, high] = [
      await world.client({ sessionTtlMs: 60_000 }),
      await world.client({ sessionTtlMs: 60_000 }),
    ];
    await using hold = await high.mutex('m').acquire();
    const waiting = low.mutex('m').acquire();
    let isIn = false;
    void waiting.then(() => (isIn = true));
    await world.settle();
    const keys = (await ticketsOf(world, 'm')).map(({ key }) => key);
    expect(keys).not.toEqual([...keys].sort());
    expect(isIn).toBe(false);

    world.compactUnderWatches(low); // it reads the line anew, in the order of the keys
    await world.advance(5_000);
    expect(isIn).toBe(false);
    await hold.release();
    await (await waiting).release();
  });

  it('sees what happened between its ticket and its watch', async () => {
    await using world = await World.open();
    const [holder, waiter] = [await world.client(), await world.client()];
    const hold = await holder.mutex('m').acquire();
    world.onProbe('ticket.waiting', () => void world.engine.execute('remove', remove(hold.key)), {
      client: waiter,
    });

    await using next = await waiter.mutex('m').acquire(); // without time passing

    expect(next.isHeld()).toBe(true);
    await outcome(hold.release());
  });

  it('does not take what its watch says for the whole before that gap is closed', async () => {
    await using world = await World.open();
    const [holder, between, last] = [await world.client(), await world.client(), await world.client()];
    const hold = await holder.mutex('m').acquire();
    const giveUp = new AbortController();
    const second = outcome(between.mutex('m').acquire({ signal: giveUp.signal }));
    await world.settle();
    const [, ticket] = await ticketsOf(world, 'm');
    world.onProbe('ticket.waiting', () => void world.engine.execute('remove', remove(ticket?.key ?? '')), {
      client: last,
    });
    world.delayReply(last, { method: 'get', ms: 500 });
    const third = last.mutex('m').acquire();
    await world.settle();

    await hold.release(); // its watch tells of this, but not of the one between
    await world.advance(600);

    await using next = await third;
    expect(next.isHeld()).toBe(true);
    giveUp.abort();
    await second;
  });
});

describe('a take', () => {
  it('goes on after a late copy of a bump has moved the epoch', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 60_000 });
    await (await client.mutex('warm-up').acquire()).release();
    const isBump = ({ then: [first] }: RequestTo<'txn'>): boolean =>
      first?.kind === 'put' && first.ignoreValue;
    world.dropRequest(client, { method: 'txn' });
    world.repeatRequest(client, { method: 'txn', where: isBump, ms: 5_000 });
    await (await world.run(client.mutex('m').acquire())).release();
    await world.advance(6_000);

    await using hold = await world.run(client.mutex('m').acquire(), { limitMs: 1_000 });

    expect(hold.isHeld()).toBe(true);
  });
});

describe('a hand-over within a process', () => {
  const isRequeue = ({ then }: RequestTo<'txn'>): boolean =>
    then.some(({ kind }) => kind === 'remove') && then.some(({ kind }) => kind === 'put');

  it('whose copy lands late leaves no ticket', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    const next = client.mutex('m').acquire();
    await world.settle();
    world.repeatRequest(client, { method: 'txn', where: isRequeue, ms: 20_000 });

    await world.run(hold.release());
    await (await world.run(next)).release();
    await world.advance(30_000);

    expect(await ticketsOf(world, 'm')).toEqual([]);
  });

  it('of a ticket that somebody removed is a loss, and the next one waits in line', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    const next = client.mutex('m').acquire();
    await world.settle();
    await world.store.remove(hold.key);

    expect(await outcome(hold.release())).toMatchObject({ code: 'HOLD_LOST' });
    await using following = await next;
    expect(following.fencingToken).toBeGreaterThan(hold.fencingToken);
  });

  it('becomes a release while the store is full', async () => {
    await using world = await World.open();
    const [client, other] = [await world.client({ sessionTtlMs: 60_000 }), await world.client()];
    const hold = await client.mutex('m').acquire();
    const elsewhere = other.mutex('m').acquire();
    await world.settle();
    const next = outcome(client.mutex('m').acquire());
    await world.settle();
    world.engine.noSpace = true;

    await world.run(hold.release(), { limitMs: 1_000 });

    world.engine.noSpace = false;
    await using following = await elsewhere;
    expect(following.isHeld()).toBe(true);
    expect(await next).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });

  it('goes on when the lock is lost and never released', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 3_000 });
    const hold = await client.mutex('m').acquire();
    const next = client.mutex('m').acquire();
    await world.settle();

    await world.store.remove(hold.key);
    await world.advance(11_000); // the slow look

    await using following = await next;
    expect([hold.isHeld(), following.isHeld()]).toEqual([false, true]);
  });
});

describe('a hold', () => {
  it('whose commit is refused knows that it is lost', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    await world.store.remove(hold.key);

    expect(await outcome(hold.commit([put('data', 'x')]))).toMatchObject({ code: 'FENCED_OUT' });

    expect(hold.isHeld()).toBe(false);
    expect((await world.store.get('data')).kvs).toEqual([]);
  });

  it('is not held from the moment its release begins', async () => {
    await using world = await World.open();
    const hold = await (await world.client()).mutex('m').acquire();

    const released = hold.release();

    expect(hold.isHeld()).toBe(false);
    expect(await outcome(hold.commit([put('data', 'x')]))).toMatchObject({ code: 'HOLD_LOST' });
    await released;
  });

  it('learns of a revoked lease from its watch after a compaction, too', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    world.compactUnderWatches(client);
    await world.advance(2_000);

    await world.expireSession(client);

    expect(hold.isHeld()).toBe(false);
  });
});

describe('a lost session', () => {
  it('is removed when its time is over, not before, though a leader change has prolonged it', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 5_000 });
    const hold = await client.mutex('m').acquire();
    world.partition(client);
    await world.advance(3_900);
    world.leaderChange();
    await world.advance(150);
    expect(hold.signal.aborted).toBe(true);
    world.heal(client);
    await world.advance(900);

    expect(await ticketsOf(world, 'm')).toHaveLength(1); // whoever has to stop has this time for it
    await world.advance(100);
    expect(await ticketsOf(world, 'm')).toEqual([]);
  });

  it('that is still being opened when the client closes is closed with it', async () => {
    await using world = await World.open();
    const client = await world.client();
    world.delayReply(client, { method: 'leaseGrant', ms: 400 });
    const waiting = outcome(client.mutex('m').acquire());
    await world.settle();

    await world.run(client.close());

    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    expect((await world.store.lease.list()).leases).toEqual([]);
  });
});

describe('inspect', () => {
  it('refuses tickets of a newer version, and shows those of other programs without a holder', async () => {
    await using world = await World.open();
    const client = await world.client();
    await world.store.put('conclave/lock/m/1-1', '');
    await world.store.put('conclave/lock/m/1-2', '{"v":1,"later":true}');
    const { holder, waiters } = await client.mutex('m').inspect();
    expect([holder, ...waiters].map((ticket) => ticket?.holder)).toEqual([undefined, undefined]);

    await world.store.put('conclave/lock/m/1-3', '{"v":2}');
    expect(await outcome(client.mutex('m').inspect())).toMatchObject({ code: 'CONFLICT' });
    world.allowKeys('conclave/lock/m/');
  });
});
