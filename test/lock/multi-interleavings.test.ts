import { describe, expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';
import { fates, fullAfter, isRemoval, isTake, mutexLine, opened, standing, watched } from './lines.js';
import { outcome } from './observe.js';

const all = async (world: World): Promise<string[]> =>
  (await standing(world, 'conclave/lock/')).map(({ key }) => key);

describe('multi-locks that name the same in another order', () => {
  it.each([1, 2, 3, 4, 5])('never wait for each other, in one process and in two (seed %i)', async (seed) => {
    await using world = await World.open({ seed });
    const clients = [await opened(world), await opened(world)];
    for (const client of clients) world.latency(client, { requestMs: [0, 40], replyMs: [0, 40] });
    const orders = [
      ['a', 'b', 'c'],
      ['c', 'b', 'a'],
      ['b', 'a'],
      ['c', 'a'],
    ];
    const inside = new Set<string>();
    let done = 0;
    const runs = Array.from({ length: 24 }, (_, i) => {
      const names = orders[i % orders.length]!;
      return clients[i % 3 === 0 ? 0 : 1]!.multiLock(names).run(async () => {
        for (const name of names) {
          expect(inside.has(name)).toBe(false);
          inside.add(name);
        }
        await world.store.get('elsewhere');
        for (const name of names) inside.delete(name);
        done++;
      });
    });

    await world.run(Promise.all(runs));

    expect(done).toBe(24);
    expect(await all(world)).toEqual([]);
  });

  it('do not wait for the local queue of a mutex either', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const hold = await client.mutex('a').acquire();
    const both = watched(world, client.multiLock(['b', 'a']).acquire());
    await world.settle();
    const follower = watched(world, client.mutex('a').acquire());
    await world.settle();

    await hold.release();
    await world.settle();

    // The follower's ticket is taken when the hold is given back: behind the multi-lock.
    expect([both.isIn, follower.isIn]).toEqual([true, false]);
    await (await both.promise).release();
    await (await follower.promise).release();
  });
});

describe.each(fates)('a take of many %s', (_, strike) => {
  it.each(['acquire', 'tryAcquire'] as const)(
    'has all or nothing by %s, and leaves nothing ever',
    async (method) => {
      await using world = await World.open();
      const client = await opened(world, 12_000);
      const fault = strike(world, client, { method: 'txn', where: isTake });

      const hold = await world.run(client.multiLock(['a', 'b', 'c'])[method]());

      expect(fault.hasFired).toBe(true);
      expect(await all(world)).toEqual([...(hold?.keys ?? [])].sort());
      expect(hold?.keys).toHaveLength(3);
      await hold?.release();
      await world.advance(30_000);
      expect(await all(world)).toEqual([]);
    },
  );

  it('that is given up leaves nothing in any line, ever', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    const caller = new AbortController();
    world.latency(client, { requestMs: 5, replyMs: 5 });
    strike(world, client, { method: 'txn', where: isTake });
    const waiting = outcome(client.multiLock(['a', 'b']).acquire({ signal: caller.signal }));
    await world.advance(7);

    caller.abort('enough');

    expect(await waiting).toBe('enough');
    await world.advance(40_000);
    expect(await all(world)).toEqual([]);
  });
});

describe('a take of many', () => {
  it('of which somebody removed a ticket before it was heard of is not granted, and leaves nothing', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    world.repeatRequest(client, { method: 'txn', where: isTake, isSilent: true, ms: 20_000 });
    const acquiring = outcome(client.multiLock(['a', 'b', 'c']).acquire());
    await world.settle();
    const [first] = await standing(world, mutexLine('a'));
    await world.store.remove(first?.key ?? '');

    expect(await world.run(acquiring)).toMatchObject({ code: 'CONFLICT' });

    await world.advance(30_000);
    expect(await all(world)).toEqual([]);
  });

  it('that a full store has done all the same leaves nothing in any line', async () => {
    await using world = await World.open();
    const client = await opened(world);
    fullAfter(world, isTake);

    expect(await outcome(client.multiLock(['a', 'b']).acquire())).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });

    expect(await all(world)).toEqual([]);
  });
});

describe('a waiter for many', () => {
  it('is not granted if a ticket was removed where its turn had come already, also on a lagging watch', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const hold = await other.mutex('b').acquire();
    const waiting = outcome(client.multiLock(['a', 'b']).acquire());
    await world.settle();
    world.lagWatches(client, 2_000);
    const [mine] = await standing(world, mutexLine('a'));

    await world.store.remove(mine?.key ?? '');
    await hold.release();
    await world.advance(3_000);

    expect(await waiting).toMatchObject({ code: 'CONFLICT' });
    expect(await all(world)).toEqual([]);
  });

  it('is let in when its turn has come everywhere, in whatever order', async () => {
    for (const order of [
      ['a', 'b', 'c'],
      ['c', 'a', 'b'],
      ['b', 'c', 'a'],
    ]) {
      await using world = await World.open();
      const [client, other] = [await opened(world), await opened(world)];
      const names = ['a', 'b', 'c'];
      const holds = new Map(
        await Promise.all(names.map(async (name) => [name, await other.mutex(name).acquire()] as const)),
      );
      const waiting = watched(world, client.multiLock(names).acquire());
      await world.settle();
      for (const name of order) {
        expect(waiting.isIn).toBe(false);
        await holds.get(name)?.release();
        await world.settle();
      }
      expect(waiting.isIn).toBe(true);
      await (await waiting.promise).release();
    }
  });

  it('is let in although its watches were compacted away', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const holds = [await other.mutex('a').acquire(), await other.mutex('b').acquire()];
    const waiting = client.multiLock(['a', 'b']).acquire();
    await world.settle();
    world.partition(client, { refuses: true });
    for (const hold of holds) await hold.release();
    world.compactUnderWatches(client);
    world.heal(client);
    await world.advance(5_000);

    await using next = await waiting;
    expect(next.isHeld()).toBe(true);
  });

  it('whose session is lost rejects, and leaves all lines to those behind', async () => {
    await using world = await World.open();
    const [client, dead] = [await opened(world), await opened(world)];
    await using hold = await client.mutex('b').acquire();
    const waiting = outcome(dead.multiLock(['a', 'b']).acquire());
    await world.settle();
    const behind = client.mutex('a').acquire();
    await world.settle();

    await world.expireSession(dead);

    await using next = await behind;
    expect(await waiting).toMatchObject({ code: 'SESSION_LOST' });
    expect(hold.isHeld() && next.isHeld()).toBe(true);
  });

  it('is told in a timeout which line it waits for', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await world.client({ holder: 'billing-1' })];
    await using hold = await other.mutex('b').acquire();
    const waiting = outcome(client.multiLock(['a', 'b']).acquire({ timeoutMs: 1_000 }));
    await world.advance(1_000);

    expect(await waiting).toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringMatching(/mutex "b" is held by billing-1/) as unknown,
    });
    expect(hold.isHeld()).toBe(true);
  });
});

describe('a hold on many', () => {
  it('learns by the slow look that any of its tickets was removed, and gives back the others', async () => {
    for (const name of ['a', 'b', 'c']) {
      await using world = await World.open();
      const client = await world.client({ sessionTtlMs: 3_000 });
      const hold = await client.multiLock(['a', 'b', 'c']).acquire();
      const [mine] = await standing(world, mutexLine(name));

      await world.store.remove(mine?.key ?? '');
      await world.advance(10_500);

      expect(hold.signal.reason).toMatchObject({ code: 'HOLD_LOST' });
      expect(hold.isHeld()).toBe(false);
      expect(await all(world)).toEqual([]);
    }
  });

  it.each(fates)('whose release is one %s gives back all of it once', async (_, strike) => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const hold = await client.multiLock(['a', 'b']).acquire();
    strike(world, client, { method: 'txn', where: isRemoval });

    await world.run(hold.release());

    await using next = await other.multiLock(['b', 'a']).acquire();
    await world.advance(30_000);
    expect(await all(world)).toEqual([...next.keys].sort());
  });

  it('is given back by one request, in one revision', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const hold = await client.multiLock(['a', 'b', 'c']).acquire();
    const before = world.revision;
    const calls = world.calls(client).length;

    await hold.release();

    expect(world.revision).toBe(before + 1n);
    expect(world.calls(client)).toHaveLength(calls + 1);
  });
});
