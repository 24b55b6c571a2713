import { describe, expect, it } from 'vitest';
import { type Conclave, ConflictError, ForcedRelease, HoldLostError, prefix, put } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome, ticketsOf } from '../lock/observe.js';
import { marks, tells, two } from './fixture.js';

const because = { reason: 'stuck' };

/** Says who has taken it away, and why. */
const named = {
  name: 'ForcedRelease',
  by: expect.objectContaining({ name: 'asker' }) as unknown,
  reason: 'stuck',
  message: expect.stringMatching(/released by force by asker \(.*\): stuck/) as unknown,
};

describe('a release by force', () => {
  it('hits the holder at once, who is told by whom and why, and the next one has the lock', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    const waiting = asker.mutex('m').acquire();
    await world.settle();

    const hit = await asker.forceRelease('mutex', 'm', because);
    await world.settle();

    expect(hit).toMatchObject({ key: hold.key, fencingToken: hold.fencingToken, holder: { name: 'holder' } });
    expect(hold.isHeld()).toBe(false);
    expect(hold.signal.reason).toBeInstanceOf(HoldLostError);
    expect(hold.signal.reason).toMatchObject({
      cause: named,
      message: expect.stringContaining('released by force by asker') as unknown,
    });
    expect((hold.signal.reason as Error).cause).toBeInstanceOf(ForcedRelease);
    expect(hold.releaseRequested.aborted).toBe(false);
    await using next = await waiting;
    expect(next.isHeld()).toBe(true);
    expect(await marks(world, 'forced')).toEqual([]); // read, and removed
    expect(await outcome(hold.commit([put('x', 'y')]))).toBeInstanceOf(HoldLostError);
  });

  it('leaves the session of whom it hits, and all its other holds', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    await using other = await holder.mutex('other').acquire();
    await asker.forceRelease('mutex', 'm', because);
    await world.settle();
    expect([hold.isHeld(), other.isHeld()]).toEqual([false, true]);
    await using again = await holder.mutex('m').acquire();
    expect(again.isHeld()).toBe(true);
  });

  it('hits nobody where nobody stands, and then opens no session', async () => {
    await using world = await World.open();
    const asker = await world.client();
    expect(await asker.forceRelease('mutex', 'm', because)).toBeUndefined();
    expect(world.calls(asker).map(({ method }) => method)).toEqual(['get']);
  });

  it('hits the ticket that is named, a waiter too, which is told so', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const third = await world.client();
    await using hold = await holder.mutex('m').acquire();
    const waiting = outcome(third.mutex('m').acquire());
    await world.settle();
    const [, waiter] = await ticketsOf(world, 'm');

    const hit = await asker.forceRelease('mutex', 'm', { ...because, ticket: waiter!.key });
    await asker.close(); // what was said goes with it, and has been heard all the same
    await world.advance(1_000);

    expect(hit?.key).toBe(waiter!.key);
    expect(await waiting).toBeInstanceOf(ConflictError);
    expect(await waiting).toMatchObject({ code: 'CONFLICT', cause: named });
    expect(hold.isHeld()).toBe(true);
    expect(await ticketsOf(world, 'm')).toHaveLength(1);
  });

  it('hits nobody if the ticket that is named has gone', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    await hold.release();
    await using next = await holder.mutex('m').acquire();
    expect(await asker.forceRelease('mutex', 'm', { ...because, ticket: hold.key })).toBeUndefined();
    await world.settle();
    expect(next.isHeld()).toBe(true);
  });

  it('tells a waiter whose watch of the line is faster than that of its session', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const third = await world.client({ sessionTtlMs: 60_000 });
    await using hold = await holder.mutex('m').acquire();
    const waiting = outcome(third.mutex('m').acquire());
    await world.settle();
    const [, waiter] = await ticketsOf(world, 'm');
    // The session watches first; what it has missed is found by looking.
    world.partition(third, { refuses: true });
    await asker.forceRelease('mutex', 'm', { ...because, ticket: waiter!.key });
    await world.store.put('elsewhere', 'x');
    world.compact();
    world.heal(third);
    await world.advance(20_000);
    expect(await waiting).toMatchObject({ code: 'CONFLICT', cause: named });
    expect(hold.isHeld()).toBe(true);
  });

  it('is found by the slow look if no watch tells of it', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    world.lagWatches(holder, 300_000);
    await asker.forceRelease('mutex', 'm', because);
    await world.advance(61_000);
    expect(hold.signal.reason).toMatchObject({ cause: named });
    expect(await marks(world, 'forced')).toEqual([]);
  });

  it('is found by a holder whose watch was compacted away', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    world.partition(holder, { refuses: true });
    await asker.forceRelease('mutex', 'm', because);
    await world.store.put('elsewhere', 'x');
    world.compact();
    world.heal(holder);
    await world.advance(5_000);
    expect(hold.signal.reason).toMatchObject({ cause: named });
  });

  it('that comes before the holder knows that it holds gives it a hold that is lost', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    world.delayReply(holder, { method: 'txn', ms: 500 });
    const acquiring = holder.mutex('m').acquire();
    await world.settle();
    await asker.forceRelease('mutex', 'm', because);
    await world.advance(500);

    const hold = await acquiring;

    expect(hold.isHeld()).toBe(false);
    expect(hold.signal.reason).toMatchObject({ cause: named });
    expect(await outcome(hold.release())).toBeInstanceOf(HoldLostError);
  });

  it('that comes before a reader knows that it is a writer now is told to its callback, too', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const running = holder.rwLock('l').read.run(async (reader) => {
      world.delayReply(holder, { method: 'txn', ms: 500 });
      const upgrading = outcome(reader.tryUpgrade());
      await world.settle();
      await asker.forceRelease('rwLock', 'l', because);
      await world.advance(500);

      expect(await upgrading).toMatchObject({ code: 'HOLD_LOST', cause: named });
      expect(reader.signal.reason).toMatchObject({ code: 'HOLD_LOST', cause: named });
    });
    expect(await outcome(running)).toBeInstanceOf(HoldLostError);
  });

  it('keeps a callback from running under what is lost', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    world.delayReply(holder, { method: 'txn', ms: 500 });
    let hasRun = false;
    const running = outcome(holder.rwLock('l').read.run(() => void (hasRun = true)));
    await world.settle();
    await asker.forceRelease('rwLock', 'l', because);
    await world.advance(500);
    expect(await running).toMatchObject({ code: 'HOLD_LOST', cause: named });
    expect(hasRun).toBe(false);
  });

  it('is reported by a release that comes before the news', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    world.lagWatches(holder, 1_000);
    await asker.forceRelease('mutex', 'm', because);
    expect(await outcome(hold.release())).toBeInstanceOf(HoldLostError);
    await world.advance(2_000);
    expect(await marks(world, 'forced')).toEqual([]);
  });

  it('hits all holds of a reentrant lock', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const mutex = holder.mutex('m', { reentrant: true });
    const told: unknown[] = [];
    const running = mutex.run((outer) =>
      mutex.run(async (inner) => {
        await asker.forceRelease('mutex', 'm', because);
        await world.settle();
        told.push(outer.isHeld(), inner.isHeld(), outer.signal.reason, inner.signal.reason);
      }),
    );
    expect(await outcome(running)).toMatchObject({ code: 'HOLD_LOST', cause: named });
    expect(told.slice(0, 2)).toEqual([false, false]);
    expect(told.slice(2)).toMatchObject([{ cause: named }, { cause: named }]);
    await using next = await mutex.acquire();
    expect(next.isHeld()).toBe(true);
  });

  it('takes a multi-lock away as a whole', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.multiLock(['a', 'b', 'c']).acquire();
    expect(await asker.forceRelease('mutex', 'b', because)).toMatchObject({ key: hold.keys[1] });
    await world.settle();
    expect(hold.signal.reason).toMatchObject({ cause: named });
    for (const name of ['a', 'b', 'c']) expect(await ticketsOf(world, name)).toEqual([]);
    expect(await marks(world, 'forced')).toEqual([]);
  });

  it('takes a place of a multi-lock that waits away as a whole', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const third = await world.client();
    await using hold = await holder.mutex('a').acquire();
    const waiting = outcome(third.multiLock(['a', 'b']).acquire());
    await world.settle();
    await asker.forceRelease('mutex', 'b', because);
    await world.settle();
    expect(await waiting).toMatchObject({ code: 'CONFLICT', cause: named });
    expect(await ticketsOf(world, 'a')).toHaveLength(1);
    expect(hold.isHeld()).toBe(true);
  });

  it('lets the tasks that wait in the process it hits go on', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    const second = holder.mutex('m').acquire();
    const third = holder.mutex('m').acquire();
    await world.settle();

    await asker.forceRelease('mutex', 'm', because);
    await world.settle();

    expect(hold.isHeld()).toBe(false);
    expect((await second).isHeld()).toBe(true);
    await (await second).release();
    await (await third).release();
  });

  it('of a ticket that one task hands to the next rejects that one, and not those behind it', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const other = await world.client();
    const hold = await holder.mutex('m').acquire();
    const between = other.mutex('m').acquire();
    const second = outcome(holder.mutex('m').acquire());
    const third = holder.mutex('m').acquire();
    await world.settle();
    await hold.release(); // its ticket for the next task stands behind that of the other process
    await using stranger = await between;
    await world.settle();
    const [, baton] = await ticketsOf(world, 'm');

    await asker.forceRelease('mutex', 'm', { ...because, ticket: baton!.key });
    await world.settle();
    expect(await second).toMatchObject({ code: 'CONFLICT', cause: named });
    await stranger.release();

    await using last = await third;
    expect(last.isHeld()).toBe(true);
  });

  it('of a ticket that is handed over right then gives the next task a hold that is lost', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    const second = holder.mutex('m').acquire();
    const third = holder.mutex('m').acquire();
    await world.settle();
    world.delayReply(holder, { method: 'txn', ms: 500 });
    const releasing = hold.release();
    await world.settle();
    await asker.forceRelease('mutex', 'm', because); // the ticket of the second, which does not know of it yet
    await world.advance(500);
    await releasing;

    expect((await second).signal.reason).toMatchObject({ cause: named });
    expect((await third).isHeld()).toBe(true);
    await (await third).release();
  });

  it('ends a wait for the lock delay', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const crashing = await world.client({ sessionTtlMs: 2_000 });
    world.allowKeys('conclave/delay/');
    const options = { lockDelayMs: 5_000 };
    await crashing.mutex('m', options).acquire();
    const waiting = outcome(holder.mutex('m', options).acquire());
    await world.settle();
    world.crash(crashing);
    await world.advance(5_000);
    await asker.forceRelease('mutex', 'm', because);
    await world.advance(10_000);
    expect(await waiting).toMatchObject({ code: 'CONFLICT', cause: named });
  });

  it.each([
    ['semaphore', (client: Conclave) => client.semaphore('s', { limit: 2 }).acquire(), 's'],
    ['election', (client: Conclave) => client.election('e').campaign('me'), 'e'],
    ['rwLock', (client: Conclave) => client.rwLock('l').write.acquire(), 'l'],
    ['mutex', (client: Conclave) => client.mutex({ path: '/raw' }).acquire(), { path: '/raw' }],
  ] as const)('hits who holds a %s', async (kind, acquire, place) => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await acquire(holder);
    expect(await asker.forceRelease(kind, place, because)).toMatchObject({ key: hold.key });
    await world.settle();
    expect(hold.signal.reason).toMatchObject({ cause: named });
  });

  it('takes away the ticket of another program, and tells nobody', async () => {
    await using world = await World.open();
    const { asker } = await two(world);
    await world.store.put('/raw/694d', 'x');
    await world.store.put('/raw/694e', 'x');
    world.allowKeys('/raw');
    const hit = await asker.forceRelease('mutex', { path: '/raw' }, because);
    expect(hit?.key).toBe('/raw/694d');
    expect(hit?.holder).toBeUndefined();
    expect((await world.store.get(prefix('/raw/'))).count).toBe(1);
    expect(await marks(world, 'forced')).toEqual([]);
  });

  it('takes away a candidate by path, whatever its value looks like', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const stranger = { name: 'x', host: 'x', pid: 1, ns: 'elsewhere' };
    for (const value of [{ v: 2 }, { v: 1, holder: stranger }]) {
      const leadership = await holder.election({ path: 'p' }).campaign(JSON.stringify(value));
      expect(await outcome(asker.requestRelease('election', { path: 'p' }))).toMatchObject({
        code: 'UNSUPPORTED',
      });

      const hit = await asker.forceRelease('election', { path: 'p' });

      expect(hit).toEqual({ key: leadership.key, fencingToken: leadership.fencingToken });
      expect(await outcome(leadership.resign())).toBeInstanceOf(HoldLostError);
    }
    expect((await world.store.get(prefix('elsewhere/'))).kvs).toEqual([]);
  });

  it('removes the request that was not heeded', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    world.partition(holder);
    await asker.requestRelease('mutex', 'm', because);
    await asker.forceRelease('mutex', 'm', because);
    expect([await marks(world, 'ask'), (await marks(world, 'forced')).length]).toEqual([[], 1]);
    world.heal(holder);
    await world.advance(1_000);
    expect(hold.signal.aborted).toBe(true);
    expect(await marks(world, 'forced')).toEqual([]);
  });

  it('that arrives when another has the lock hits nobody', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    world.delayRequest(asker, { method: 'txn', where: tells('forced'), ms: 1_000, isSilent: true });
    const forcing = asker.forceRelease('mutex', 'm', because);
    await world.settle();
    await hold.release();
    await using next = await holder.mutex('m').acquire();
    await world.advance(2_000);
    expect(await forcing).toBeUndefined();
    expect(next.isHeld()).toBe(true);
    expect(await marks(world, 'forced')).toEqual([]);
  });

  it('whose answer was lost is known to have hit, although what it said is removed by then', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    world.dropReply(asker, { method: 'txn', where: tells('forced') });
    expect(await world.run(asker.forceRelease('mutex', 'm', because))).toMatchObject({ key: hold.key });
    await world.settle();
    expect(await marks(world, 'forced')).toEqual([]);
  });

  it('that was lost itself is sent again; if the holder has left in the meantime, it hit nobody', async () => {
    await using world = await World.open();
    const { holder } = await two(world);
    const asker = await world.client({ holder: 'asker', dialTimeoutMs: 20_000 });
    const first = await holder.mutex('m').acquire();
    world.dropRequest(asker, { method: 'txn', where: tells('forced') });
    expect(await world.run(asker.forceRelease('mutex', 'm', because))).toMatchObject({ key: first.key });
    await world.settle();

    const second = await holder.mutex('m').acquire();
    world.dropRequest(asker, { method: 'txn', where: tells('forced'), isSilent: true });
    const forcing = asker.forceRelease('mutex', 'm', because);
    await world.settle();
    await second.release();
    expect(await world.run(forcing)).toBeUndefined();
  });

  it('of which a late copy comes hits nobody who has come since', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await holder.mutex('m').acquire();
    world.repeatRequest(asker, { method: 'txn', where: tells('forced'), ms: 5_000 });
    expect(await world.run(asker.forceRelease('mutex', 'm', because))).toBeDefined();
    await world.settle();
    await using next = await holder.mutex('m').acquire();
    await world.advance(6_000);
    expect(next.isHeld()).toBe(true);
    expect(await marks(world, 'forced')).toEqual([]);
  });

  it('is reported as not done if the session of who forces is lost first', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    world.lagWatches(asker, 60_000); // it does not know yet
    await world.expireSession(asker);
    expect(await outcome(asker.forceRelease('mutex', 'm', because))).toMatchObject({ code: 'SESSION_LOST' });
    await world.settle();
    expect(hold.isHeld()).toBe(true);
    expect(await asker.forceRelease('mutex', 'm', because)).toMatchObject({ key: hold.key });
  });
});
