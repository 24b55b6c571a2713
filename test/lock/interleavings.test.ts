import { describe, expect, it } from 'vitest';
import { HoldLostError, put, SessionLostError, WaitTimeoutError } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome, ticketsOf } from './observe.js';

/**
 * The interleavings of design section 6 that concern sessions and locks; each has been a real bug somewhere. The line of
 * code that guards each is listed with a mutant in `test/mutants`.
 */
describe('a waiter', () => {
  it('whose ticket is gone is not granted the lock when the holder leaves', async () => {
    await using world = await World.open();
    const holder = await world.client();
    const dead = await world.client();
    const hold = await holder.mutex('m').acquire();
    const waiting = outcome(dead.mutex('m').acquire());
    await world.settle();
    world.partition(dead); // it hears nothing of its end
    await world.expireSession(dead);

    await hold.release();
    world.heal(dead);
    await world.advance(1_000);

    expect(await waiting).toBeInstanceOf(SessionLostError);
  });

  it('whose ticket somebody removed is not granted the lock when the holder leaves', async () => {
    await using world = await World.open();
    const holder = await world.client();
    const other = await world.client();
    const hold = await holder.mutex('m').acquire();
    const waiting = outcome(other.mutex('m').acquire());
    await world.settle();
    const [, mine] = await ticketsOf(world, 'm');
    world.lagWatches(other, 1_000); // it sees both tickets vanish at once

    await world.store.remove(mine?.key ?? '');
    await hold.release();
    await world.advance(2_000);

    expect(await waiting).toMatchObject({ code: 'CONFLICT' });
  });

  it('rejects as soon as its session is revoked, while the holder still holds', async () => {
    await using world = await World.open();
    const holder = await world.client();
    const dead = await world.client();
    await using hold = await holder.mutex('m').acquire();
    const waiting = outcome(dead.mutex('m').acquire());
    await world.settle();

    await world.expireSession(dead);
    await world.settle();

    expect(await waiting).toMatchObject({ code: 'SESSION_LOST', reason: 'revoked' });
    expect(hold.isHeld()).toBe(true);
  });

  it('rejects at its own deadline when the store is out of reach', async () => {
    await using world = await World.open();
    const holder = await world.client({ sessionTtlMs: 60_000 });
    const away = await world.client({ sessionTtlMs: 3_000 });
    await using hold = await holder.mutex('m').acquire();
    const waiting = outcome(away.mutex('m').acquire());
    await world.settle();

    world.partition(away);
    await world.advance(3_000);

    expect(await waiting).toMatchObject({ code: 'SESSION_LOST', reason: 'expired' });
    expect(hold.isHeld()).toBe(true);
  });

  it('is served although its watch was compacted away while it waited', async () => {
    await using world = await World.open();
    const holder = await world.client({ sessionTtlMs: 60_000 });
    const waiter = await world.client({ sessionTtlMs: 60_000 });
    const hold = await holder.mutex('m').acquire();
    const waiting = waiter.mutex('m').acquire();
    await world.settle();

    world.partition(waiter, { refuses: true }); // its watch breaks
    await hold.release();
    await world.store.put('elsewhere', 'x');
    world.compact();
    world.heal(waiter);
    await world.advance(5_000); // well before the slow look at the line

    await using next = await waiting;
    expect(next.isHeld()).toBe(true);
  });

  it('is not granted the lock by a view from before its ticket', async () => {
    await using world = await World.open();
    const a = await world.client();
    const b = await world.client();
    // b follows the line on a lagging watch: what it sees is older than the ticket it takes.
    await using first = await a.mutex('m').acquire();
    const waiting = b.mutex('m').acquire();
    await world.settle();
    expect(await ticketsOf(world, 'm')).toHaveLength(2);
    const second = outcome(b.mutex('m').tryAcquire());
    expect(await second).toBeUndefined();
    await first.release();
    await using next = await waiting;
    expect(next.fencingToken).toBeGreaterThan(first.fencingToken);
  });
});

describe('a take', () => {
  it('that was applied but not answered is found, and the lock is held', async () => {
    await using world = await World.open();
    const client = await world.client();
    await (await client.mutex('warm-up').acquire()).release();
    world.dropReply(client, { method: 'txn', nth: 1 });

    await using hold = await world.run(client.mutex('m').acquire());

    expect(hold.isHeld()).toBe(true);
    expect(await ticketsOf(world, 'm')).toHaveLength(1);
  });

  it('whose request got lost is sent again', async () => {
    await using world = await World.open();
    const client = await world.client();
    await (await client.mutex('warm-up').acquire()).release();
    world.dropRequest(client, { method: 'txn', nth: 1 });

    await using hold = await world.run(client.mutex('m').acquire());

    expect(hold.isHeld()).toBe(true);
    expect(await ticketsOf(world, 'm')).toHaveLength(1);
  });

  it('that lands after the release of what followed it leaves nothing', async () => {
    await using world = await World.open();
    const client = await world.client();
    await (await client.mutex('warm-up').acquire()).release();
    world.delayRequest(client, { method: 'txn', nth: 1, ms: 20_000 });

    const hold = await world.run(client.mutex('m').acquire());
    await hold.release();
    await world.advance(30_000);

    expect(await ticketsOf(world, 'm')).toEqual([]);
  });

  it('that lands after the wait was given up leaves nothing', async () => {
    await using world = await World.open();
    const client = await world.client();
    await (await client.mutex('warm-up').acquire()).release();
    world.delayRequest(client, { method: 'txn', nth: 1, ms: 8_000, isSilent: true });
    const waiting = outcome(client.mutex('m').acquire({ timeoutMs: 100 }));

    await world.advance(200);
    expect(await waiting).toBeInstanceOf(WaitTimeoutError);

    await world.advance(30_000);
    expect(await ticketsOf(world, 'm')).toEqual([]);
  });

  it('that is cancelled on its way leaves no ticket', async () => {
    await using world = await World.open();
    const client = await world.client();
    await (await client.mutex('warm-up').acquire()).release();
    const caller = new AbortController();
    world.delayReply(client, { method: 'txn', nth: 1, ms: 300 });
    const waiting = outcome(client.mutex('m').acquire({ signal: caller.signal }));
    await world.settle();

    caller.abort('enough');

    expect(await waiting).toBe('enough');
    await world.advance(1_000);
    expect(await ticketsOf(world, 'm')).toEqual([]);
  });
});

describe('tryAcquire', () => {
  it('leaves no ticket when the lock is taken', async () => {
    await using world = await World.open();
    await using hold = await (await world.client()).mutex('m').acquire();

    expect(await (await world.client()).mutex('m').tryAcquire()).toBeUndefined();

    expect((await ticketsOf(world, 'm')).map(({ key }) => key)).toEqual([hold.key]);
  });

  it('recognises its own ticket when the answer was lost', async () => {
    await using world = await World.open();
    const client = await world.client();
    await (await client.mutex('warm-up').acquire()).release();
    world.dropReply(client, { method: 'txn', nth: 1 });

    await using hold = await world.run(client.mutex('m').tryAcquire());

    expect(hold?.isHeld()).toBe(true);
  });

  it('says "not taken" only of a request that can never take it later', async () => {
    await using world = await World.open();
    const client = await world.client();
    const other = await world.client();
    await (await client.mutex('warm-up').acquire()).release();
    world.delayRequest(client, { method: 'txn', nth: 1, ms: 20_000 });
    const trying = client.mutex('m').tryAcquire();
    const hold = await other.mutex('m').acquire();

    expect(await world.run(trying)).toBeUndefined();
    await hold.release();
    await world.advance(30_000);

    expect(await ticketsOf(world, 'm')).toEqual([]);
  });
});

describe('a release', () => {
  it('whose answer was lost is a release, not a loss', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    world.dropReply(client, { method: 'txn', nth: 1 });

    await world.run(hold.release());

    expect(await ticketsOf(world, 'm')).toEqual([]);
  });

  it('that lands late deletes no newer ticket', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    world.delayRequest(client, { method: 'txn', nth: 1, ms: 20_000 });
    await world.run(hold.release());
    await using next = await client.mutex('m').acquire();

    await world.advance(30_000);

    expect((await ticketsOf(world, 'm')).map(({ key }) => key)).toEqual([next.key]);
    expect(next.isHeld()).toBe(true);
  });

  it('does not let a local successor in before the store has answered', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    const next = client.mutex('m').acquire();
    await world.settle();
    world.delayReply(client, { method: 'txn', nth: 1, ms: 400 });
    let isIn = false;
    void next.then(() => (isIn = true));

    const released = hold.release();
    await world.advance(300);
    expect(isIn).toBe(false);
    await world.advance(200);

    await released;
    await using following = await next;
    expect(following.fencingToken).toBeGreaterThan(hold.fencingToken);
  });

  it('whose exchange was applied while the store became full leaves no ticket that nobody owns', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    const next = client.mutex('m').acquire();
    await world.settle();
    world.dropReply(client, { method: 'txn', nth: 1 });
    const released = hold.release();
    await world.settle(); // applied; the answer is lost
    world.engine.noSpace = true;

    await world.run(released);
    await using following = await world.run(next);

    expect((await ticketsOf(world, 'm')).map(({ key }) => key)).toEqual([following.key]);
    world.engine.noSpace = false;
  });

  it('while the store is full goes without a new ticket, and the follower is told', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    const next = outcome(client.mutex('m').acquire());
    await world.settle();
    world.engine.noSpace = true;

    await world.run(hold.release());

    expect(await world.run(next)).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(await ticketsOf(world, 'm')).toEqual([]);
    world.engine.noSpace = false;
    await world.advance(5_000);
  });

  it('of a ticket that somebody removed is reported as a loss', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    await world.store.remove(hold.key);

    expect(await outcome(hold.release())).toBeInstanceOf(HoldLostError);
  });

  it('settles at the latest when the session has run out of time', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 3_000 });
    const hold = await client.mutex('m').acquire();
    world.partition(client);

    const released = outcome(hold.release());
    await world.advance(3_000);

    expect(await released).toBeUndefined();
    world.heal(client);
    await world.advance(10_000);
  });
});

describe('a holder', () => {
  it('that was stopped past its deadline finds out at the first look, before any answer is read', async () => {
    await using world = await World.open();
    const stopped = await world.client({ sessionTtlMs: 3_000 });
    const other = await world.client();
    const hold = await stopped.mutex('m').acquire();
    const guard = hold.guard();
    const waiting = other.mutex('m').acquire();
    world.pause(stopped);
    await world.advance(10_000);
    await using next = await waiting;

    expect(hold.isHeld()).toBe(false);
    expect(hold.signal.aborted).toBe(true);
    expect(hold.signal.reason).toMatchObject({ code: 'HOLD_LOST', cause: { reason: 'stalled' } });
    world.resume(stopped);

    const write = await world.store.txn({ if: guard, then: [put('data', 'stale')] });
    expect(write.succeeded).toBe(false);
    expect(await outcome(hold.commit([put('data', 'stale')]))).toBeInstanceOf(HoldLostError);
    expect(next.isHeld()).toBe(true);
  });

  it('hears of the loss before the store can give the lock away', async () => {
    await using world = await World.open();
    const crashed = await world.client({ sessionTtlMs: 3_000 });
    const hold = await crashed.mutex('m').acquire();
    const next = (await world.client()).mutex('m').acquire();
    await world.settle();
    const lostAt: number[] = [];
    hold.signal.addEventListener('abort', () => lostAt.push(world.now()));
    const grantedAt: number[] = [];
    void next.then(() => grantedAt.push(world.now()));
    world.partition(crashed);

    await world.advance(5_000);

    expect(lostAt).toHaveLength(1);
    expect(lostAt[0]).toBeLessThan(grantedAt[0] ?? 0);
    expect((await next).fencingToken).toBeGreaterThan(hold.fencingToken);
    await (await next).release();
    world.heal(crashed);
  });

  it('does not count its deadline from an answer that came late', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 10_000 });
    const hold = await client.mutex('m').acquire();
    const t0 = world.now();
    // The renewal sent at TTL/3 is answered after more than a second, and nothing after it.
    world.latency(client, { replyMs: 1_000 });
    await world.advance(10_000 / 3 + 1_100);
    world.partition(client);
    await world.advance(t0 + 10_000 / 3 + 8_000 - world.now() + 1);

    expect(hold.isHeld()).toBe(false);
    world.heal(client);
    await world.advance(10_000);
  });

  it('is not kept alive by a member with an old raft term', async () => {
    await using world = await World.open({ members: 3 });
    const client = await world.client({ sessionTtlMs: 3_000 });
    const hold = await client.mutex('m').acquire();
    const lost = new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
    // Whoever answers its renewals has been cut off from the present leader, and renews nothing.
    world.staleTerms(client);

    await world.run(lost, { limitMs: 3_000 });

    // By its own clock, before the store ends the lease.
    expect(hold.signal.reason).toMatchObject({ cause: { reason: 'expired' } });
  });

  it('keeps quiet but is not held while the wall clock says that the machine slept, until a renewal tells', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 9_000 });
    await using hold = await client.mutex('m').acquire();
    world.latency(client, { replyMs: 200 });

    world.jumpWall(client, 60_000);

    const heldAfterJump = hold.isHeld();
    const abortedAfterJump = hold.signal.aborted;
    await world.advance(1_000);
    world.latency(client, {});
    await world.advance(1_000); // what is on its way arrives
    expect({ heldAfterJump, abortedAfterJump }).toEqual({ heldAfterJump: false, abortedAfterJump: false });
    expect(hold.isHeld()).toBe(true);
  });

  it('with a slow clock, on a machine that slept for a moment, loses its lock before the store gives it away', async () => {
    await using world = await World.open();
    const other = await world.client({ sessionTtlMs: 60_000 });
    await (await other.mutex('warm-up').acquire()).release();
    await world.advance(450); // the store looks for leases that have run out soon after this one has
    const client = await world.client({ sessionTtlMs: 5_000, clockRate: 0.95 });
    const hold = await client.mutex('m').acquire();
    const next = other.mutex('m').acquire();
    let wasHeld: boolean | undefined;
    void next.then(() => (wasHeld = hold.isHeld()));
    await world.settle();

    world.suspend(client);
    await world.advance(1_040); // less than the margin of its lease by its own clock
    world.resume(client);
    world.partition(client);
    await world.run(next);

    expect(wasHeld).toBe(false);
    await (await next).release();
    world.heal(client);
  });

  it('is not granted anything while its session is suspect', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 9_000 });
    await (await client.mutex('warm-up').acquire()).release();
    world.jumpWall(client, 60_000);
    world.latency(client, { replyMs: 200 });
    let isIn = false;

    const acquiring = client.mutex('m').acquire();
    void acquiring.then(() => (isIn = true));
    await world.advance(200);
    expect(isIn).toBe(false);
    await world.advance(1_000);
    world.latency(client, {});
    await world.advance(1_000); // what is on its way arrives

    await using hold = await acquiring;
    expect(hold.isHeld()).toBe(true);
  });

  it('learns of a revoked lease from its watch although keep-alives go on being answered', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();

    await world.expireSession(client);
    await world.settle();

    expect(hold.signal.reason).toMatchObject({ code: 'HOLD_LOST', cause: { reason: 'revoked' } });
  });

  it('learns by the slow look that its ticket was removed', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 3_000 });
    const hold = await client.mutex('m').acquire();

    await world.store.remove(hold.key);
    await world.advance(10_500);

    expect(hold.signal.reason).toBeInstanceOf(HoldLostError);
  });

  it('keeps its lock over a change of the leader', async () => {
    await using world = await World.open({ members: 3 });
    const client = await world.client({ sessionTtlMs: 3_000 });
    await using hold = await client.mutex('m').acquire();

    for (let i = 0; i < 5; i++) {
      world.leaderChange();
      await world.advance(2_000);
    }

    expect(hold.isHeld()).toBe(true);
  });
});

describe('a session', () => {
  it('is opened once by many first calls', async () => {
    await using world = await World.open();
    const client = await world.client();

    const holds = await Promise.all(['a', 'b', 'c'].map((name) => client.mutex(name).acquire()));

    expect((await world.store.lease.list()).leases).toHaveLength(1);
    await Promise.all(holds.map((hold) => hold.release()));
  });

  it('is the same when the answer to its grant was lost', async () => {
    await using world = await World.open();
    const client = await world.client();
    world.dropReply(client, { method: 'leaseGrant', nth: 1 });

    await using hold = await world.run(client.mutex('m').acquire());

    expect((await world.store.lease.list()).leases).toHaveLength(1);
    expect(hold.isHeld()).toBe(true);
  });

  it('counts its first deadline from the first send of the grant', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 10_000 });
    const t0 = world.now();
    world.dropReply(client, { method: 'leaseGrant', nth: 1 });
    const hold = await world.run(client.mutex('m').acquire());
    world.partition(client);

    await world.advance(t0 + 8_000 - world.now() + 1);

    expect(hold.isHeld()).toBe(false);
    world.heal(client);
    await world.advance(10_000);
  });

  it('that was lost is never used again: new work opens a new one', async () => {
    await using world = await World.open();
    const client = await world.client();
    const before = await client.mutex('m').acquire();
    await world.expireSession(client);
    await world.settle();

    await using after = await client.mutex('m').acquire();

    expect(before.isHeld()).toBe(false);
    expect(after.isHeld()).toBe(true);
    expect(after.fencingToken).toBeGreaterThan(before.fencingToken);
  });

  it('of one task is not the lock of another', async () => {
    await using world = await World.open();
    const client = await world.client();
    await using hold = await client.mutex('m').acquire();

    expect(await client.mutex('m').tryAcquire()).toBeUndefined();
    expect(await outcome(client.mutex('m').acquire({ timeoutMs: 0 }))).toBeInstanceOf(WaitTimeoutError);
    expect(hold.isHeld()).toBe(true);
  });

  it('is renewed no more once it is closed', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession({ ttlMs: 3_000 });
    await own.mutex('m').acquire();
    await own.close(); // the connection stays open
    const renewals = (): number => world.calls(client).filter(({ method }) => method === 'keepAlive').length;
    const before = renewals();

    await world.advance(20_000);

    expect(renewals()).toBe(before);
    expect((await world.store.lease.list()).leases).toEqual([]);
  });
});

describe('run', () => {
  it('rejects with the error of the body, not with that of the release', async () => {
    await using world = await World.open();
    const client = await world.client();
    const failing = client.mutex('m').run(async (hold) => {
      await world.store.remove(hold.key);
      throw new Error('from the body');
    });

    expect(await outcome(failing)).toMatchObject({ message: 'from the body' });
  });

  it('rejects when the body ran, but not under the lock to its end', async () => {
    await using world = await World.open();
    const client = await world.client();
    const losing = client.mutex('m').run(async (hold) => {
      await world.store.remove(hold.key);
      return 'done';
    });

    expect(await outcome(losing)).toBeInstanceOf(HoldLostError);
  });

  it('waits for its body also when the lock is lost under it', async () => {
    await using world = await World.open();
    const client = await world.client();
    let isDone = false;
    const running = outcome(
      client.mutex('m').run(async (hold) => {
        await new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
        await Promise.resolve();
        isDone = true;
      }),
    );
    await world.settle();
    await world.expireSession(client);

    expect(await running).toBeInstanceOf(HoldLostError);
    expect(isDone).toBe(true);
  });
});
