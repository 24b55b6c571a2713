import { describe, expect, it } from 'vitest';
import type { Conclave, Hold, WaitOptions } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { mutexLine, rwLine, standing, watched } from './lines.js';
import { outcome } from './observe.js';

interface Lock {
  acquire(options?: WaitOptions): Promise<Hold>;
  tryAcquire(): Promise<Hold | undefined>;
  run<T>(work: (hold: Hold) => T | Promise<T>, options?: WaitOptions): Promise<T>;
}

const kinds: readonly (readonly [string, (client: Conclave, reentrant?: boolean) => Lock])[] = [
  ['a mutex', (client, reentrant = false) => client.mutex('m', { reentrant })],
  ['a writer', (client, reentrant = false) => client.rwLock('m', { reentrant }).write],
  ['a reader', (client, reentrant = false) => client.rwLock('m', { reentrant }).read],
  ['a multi-lock', (client, reentrant = false) => client.multiLock(['m', 'n'], { reentrant })],
];

const tickets = async (world: World): Promise<string[]> =>
  (
    await Promise.all([mutexLine('m'), mutexLine('n'), rwLine('m')].map((line) => standing(world, line)))
  ).flatMap((line) => line.map(({ key }) => key));

describe.each(kinds)('a callback that holds %s', (_, lockOf) => {
  it('and acquires it again is told at once, and leaves no second ticket', async () => {
    await using world = await World.open();
    const client = await world.client();
    await lockOf(client).run(async (hold) => {
      const before = await tickets(world);
      expect(await outcome(lockOf(client).acquire())).toMatchObject({
        code: 'ALREADY_HELD',
        key: hold.key,
        fencingToken: hold.fencingToken,
      });
      expect(await outcome(lockOf(client).run(() => 'never'))).toMatchObject({ code: 'ALREADY_HELD' });
      expect(await outcome(lockOf(client).acquire({ timeoutMs: 0 }))).toMatchObject({ code: 'ALREADY_HELD' });
      expect(await lockOf(client).tryAcquire()).toBeUndefined();
      expect(await tickets(world)).toEqual(before);
      expect(hold.isHeld()).toBe(true);
    });
    expect(await tickets(world)).toEqual([]);
  });

  it('is known also deep inside, after other callbacks and waits', async () => {
    await using world = await World.open();
    const client = await world.client();
    await lockOf(client).run(async () => {
      await client.mutex('between').run(async () => {
        await world.store.get('elsewhere');
        await Promise.all([1, 2].map(async () => client.store.get('elsewhere')));
        expect(await outcome(lockOf(client).acquire())).toMatchObject({ code: 'ALREADY_HELD' });
      });
    });
  });

  it('and asks in a session of its own over the same connection is told, too', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    await lockOf(client).run(async () => {
      expect(await outcome(lockOf(own).acquire())).toMatchObject({ code: 'ALREADY_HELD' });
    });
    await own.close();
  });

  it('is no business of another process', async () => {
    await using world = await World.open();
    const [client, other] = [await world.client(), await world.client()];
    await client.mutex('elsewhere').run(async () => {
      // Other connections, so other locks, as far as can be told.
      await lockOf(client).run(async () => {
        const waiting = outcome(lockOf(other).acquire({ timeoutMs: 0 }));
        const hold = await waiting;
        if (hold instanceof Error) expect(hold).toMatchObject({ code: 'WAIT_TIMEOUT' });
        else await (hold as Hold).release(); // a reader
      });
    });
  });

  it('waits as anybody does once it has released it', async () => {
    await using world = await World.open();
    const client = await world.client();
    await lockOf(client).run(async (hold) => {
      await hold.release();
      const again = await lockOf(client).acquire();
      expect(again.fencingToken).toBeGreaterThan(hold.fencingToken);
      await again.release();
    });
  });

  it('waits as anybody does once it has lost it', async () => {
    await using world = await World.open();
    const client = await world.client();
    const running = outcome(
      lockOf(client).run(async (hold) => {
        await world.expireSession(client);
        const again = await lockOf(client).acquire();
        expect(again.fencingToken).toBeGreaterThan(hold.fencingToken);
        await again.release();
      }),
    );
    expect(await running).toMatchObject({ code: 'HOLD_LOST' });
  });

  it('may have left code behind, which then waits as anybody does', async () => {
    await using world = await World.open();
    const client = await world.client();
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    let late: Promise<Hold> | undefined;
    await lockOf(client).run(() => {
      late = begun.then(() => lockOf(client).acquire());
    });

    begin();

    await using hold = await late;
    expect(hold?.isHeld()).toBe(true);
  });

  it('does not concern what was acquired without a callback', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await lockOf(client).acquire();
    const waiting = watched(world, lockOf(client).acquire());
    await world.settle();
    await hold.release();
    await (await waiting.promise).release();
  });

  it('does not concern others who ask at the same time', async () => {
    await using world = await World.open();
    const client = await world.client();
    const outside = Promise.resolve();
    let waiting: Promise<unknown> = outside;
    const running = lockOf(client).run(async () => {
      await world.store.get('elsewhere');
    });
    waiting = lockOf(client).run(() => 'in turn');
    await running;
    expect(await waiting).toBe('in turn');
  });

  describe('reentrantly', () => {
    it('gets the same hold once more: same key, same token, and no request', async () => {
      await using world = await World.open();
      const client = await world.client();
      const lock = lockOf(client, true);
      await lock.run(async (hold) => {
        const before = world.calls(client).length;
        for (const again of [
          await lock.acquire(),
          await lock.tryAcquire(),
          await lockOf(client, true).acquire(),
        ]) {
          expect(again).not.toBe(hold);
          expect(again?.toJSON()).toEqual(hold.toJSON());
          expect(again?.isHeld()).toBe(true);
          expect(again?.guard()).toEqual(hold.guard());
          await again?.release();
          expect(again?.isHeld()).toBe(false);
        }
        expect(world.calls(client)).toHaveLength(before);
        expect(hold.isHeld()).toBe(true);
      });
      expect(await tickets(world)).toEqual([]);
    });

    it('gives it back when the last of them is released, whichever that is', async () => {
      await using world = await World.open();
      const client = await world.client();
      const lock = lockOf(client, true);
      let inner: Hold | undefined;
      await lock.run(async (hold) => {
        inner = await lock.acquire();
        await hold.release();
        expect(hold.isHeld()).toBe(false);
        expect((await world.store.txn({ if: inner.guard() })).succeeded).toBe(true);
      });
      expect(inner?.isHeld()).toBe(true);
      expect((await tickets(world)).length).toBeGreaterThan(0);

      await inner?.release();

      expect(await tickets(world)).toEqual([]);
    });

    it('runs callbacks within callbacks, each of which releases its own', async () => {
      await using world = await World.open();
      const client = await world.client();
      const lock = lockOf(client, true);
      const depth = async (levels: number): Promise<number> =>
        lock.run(async (hold) => {
          const below = levels === 1 ? 0 : await depth(levels - 1);
          expect(hold.isHeld()).toBe(true);
          return below + 1;
        });

      expect(await depth(5)).toBe(5);
      expect(await tickets(world)).toEqual([]);
      expect(await outcome(lock.run(() => lock.run(() => Promise.reject(new Error('inner')))))).toMatchObject(
        {
          message: 'inner',
        },
      );
      expect(await tickets(world)).toEqual([]);
    });

    it('loses all of them at once', async () => {
      await using world = await World.open();
      const client = await world.client();
      const lock = lockOf(client, true);
      const running = outcome(
        lock.run(async (hold) => {
          const inner = await lock.acquire();
          await world.expireSession(client);
          expect([hold.isHeld(), inner.isHeld()]).toEqual([false, false]);
          expect([hold.signal.aborted, inner.signal.aborted]).toEqual([true, true]);
          expect(await outcome(inner.release())).toMatchObject({ code: 'HOLD_LOST' });
        }),
      );
      expect(await running).toMatchObject({ code: 'HOLD_LOST' });
    });

    it('hears of all of them that the ticket was removed', async () => {
      await using world = await World.open();
      const client = await world.client({ sessionTtlMs: 3_000 });
      const lock = lockOf(client, true);
      let finish = (): void => {};
      const holds: Hold[] = [];
      const running = outcome(
        lock.run(async (hold) => {
          holds.push(hold, await lock.acquire());
          await new Promise<void>((resolve) => (finish = resolve));
        }),
      );
      await world.settle();
      await world.store.remove(holds[0]!.key);
      await world.advance(10_500); // the slow look

      expect(holds.map((hold) => hold.signal.aborted)).toEqual([true, true]);
      finish();
      expect(await running).toMatchObject({ code: 'HOLD_LOST' });
    });

    it('grants nothing while its session is suspect', async () => {
      await using world = await World.open();
      const client = await world.client({ sessionTtlMs: 9_000 });
      const lock = lockOf(client, true);
      let go = (): void => {};
      let again: ReturnType<typeof watched<Hold>> | undefined;
      const running = lock.run(async () => {
        await new Promise<void>((resolve) => (go = resolve));
        again = watched(world, lock.acquire());
        await (await again.promise).release();
      });
      await world.settle();
      world.latency(client, { replyMs: 200 });
      world.jumpWall(client, 60_000);

      go();
      await world.advance(100);
      expect(again?.isIn).toBe(false);
      await world.advance(1_000);
      world.latency(client, {});
      await world.advance(1_000);

      await running;
      expect(again?.isIn).toBe(true);
    });

    it('that ends while it waits for a suspect session leaves nothing', async () => {
      await using world = await World.open();
      const client = await world.client({ sessionTtlMs: 9_000 });
      const lock = lockOf(client, true);
      let go = (): void => {};
      const caller = new AbortController();
      let again: Promise<unknown> | undefined;
      const running = lock.run(async () => {
        await new Promise<void>((resolve) => (go = resolve));
        again = outcome(lock.acquire({ signal: caller.signal }));
        await again;
      });
      await world.settle();
      world.latency(client, { replyMs: 200 });
      world.jumpWall(client, 60_000);
      go();
      await world.settle();
      caller.abort('enough');
      await world.advance(1_000);
      world.latency(client, {});
      await world.advance(1_000);

      expect(await again).toBe('enough');
      await running;
      expect(await tickets(world)).toEqual([]);
    });
  });
});

describe('what stands in the same line', () => {
  it('a mutex within a multi-lock that contains it', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.multiLock(['a', 'b']).run(async () => {
      expect(await outcome(client.mutex('b').acquire())).toMatchObject({ code: 'ALREADY_HELD' });
      const reentrant = client.mutex('b', { reentrant: true });
      expect(await outcome(reentrant.acquire())).toMatchObject({ code: 'ALREADY_HELD' });
      expect(await reentrant.tryAcquire()).toBeUndefined();
      await (await client.mutex('c').acquire()).release();
    });
  });

  it('a multi-lock within a mutex that it contains', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.mutex('b').run(async () => {
      expect(await outcome(client.multiLock(['a', 'b']).acquire())).toMatchObject({ code: 'ALREADY_HELD' });
      expect(await outcome(client.multiLock(['a', 'b'], { reentrant: true }).acquire())).toMatchObject({
        code: 'ALREADY_HELD',
      });
      await (await client.multiLock(['a', 'c']).acquire()).release();
    });
    expect(await standing(world, mutexLine('a'))).toEqual([]);
  });

  it('a multi-lock within one that shares a part of it', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.multiLock(['a', 'b']).run(async () => {
      const other = client.multiLock(['b', 'c'], { reentrant: true });
      expect(await outcome(other.acquire())).toMatchObject({ code: 'ALREADY_HELD' });
    });
  });

  it('a multi-lock within one that names the same in another order', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.multiLock(['a', 'b']).run(async (hold) => {
      await using again = await client.multiLock(['b', 'a'], { reentrant: true }).acquire();
      expect(again.fencingToken).toBe(hold.fencingToken);
    });
  });

  it('a multi-lock of one name is as good as the mutex of that name', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.mutex('a').run(async (hold) => {
      await using again = await client.multiLock(['a'], { reentrant: true }).acquire();
      expect(again.keys).toEqual([hold.key]);
    });
  });

  it.each(['read', 'write'] as const)(
    'a reader within a writer, and the reverse: %s first',
    async (first) => {
      await using world = await World.open();
      const client = await world.client();
      const second = first === 'read' ? 'write' : 'read';
      for (const reentrant of [false, true]) {
        const lock = client.rwLock('l', { reentrant });
        await lock[first].run(async () => {
          expect(await outcome(lock[second].acquire())).toMatchObject({ code: 'ALREADY_HELD' });
          expect(await lock[second].tryAcquire()).toBeUndefined();
        });
      }
    },
  );

  it('the same path, however it is named', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.mutex('m').run(async () => {
      const same = client.mutex({ path: 'conclave/lock/m' });
      expect(await outcome(same.acquire())).toMatchObject({ code: 'ALREADY_HELD' });
    });
  });

  it('another kind of lock of the same name is another lock', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client
      .mutex('m')
      .run(() =>
        client.rwLock('m').write.run(() => client.semaphore('m', { limit: 1 }).run((hold) => hold.isHeld())),
      );
  });

  it('permits: a callback that holds some is told, for it would wait for itself', async () => {
    await using world = await World.open();
    const client = await world.client();
    const semaphore = client.semaphore('s', { limit: 1 });
    await semaphore.run(async () => {
      expect(await outcome(semaphore.acquire())).toMatchObject({ code: 'ALREADY_HELD' });
      expect(await semaphore.tryAcquire()).toBeUndefined();
    });
  });
});

describe('a hold that has changed within its callback', () => {
  it('is known in its new mode, and in no other', async () => {
    await using world = await World.open();
    const client = await world.client();
    const lock = client.rwLock('l', { reentrant: true });
    await lock.read.run(async (reader) => {
      const writer = await reader.tryUpgrade();
      await using again = await lock.write.acquire();
      expect(again.toJSON()).toEqual(writer?.toJSON());
      expect(await outcome(lock.read.acquire())).toMatchObject({ code: 'ALREADY_HELD' });
      await again.release();
      const second = await writer?.downgrade();
      await using third = await lock.read.acquire();
      expect(third.toJSON()).toEqual(second?.toJSON());
      expect(await outcome(lock.write.acquire())).toMatchObject({ code: 'ALREADY_HELD' });
    });
    expect(await standing(world, rwLine('l'))).toEqual([]);
  });

  it('does not change while others count on what it is', async () => {
    await using world = await World.open();
    const client = await world.client();
    const lock = client.rwLock('l', { reentrant: true });
    await lock.write.run(async (writer) => {
      await using again = await lock.write.acquire();
      expect(await outcome(writer.downgrade())).toMatchObject({ code: 'ALREADY_HELD' });
      expect(again.isHeld() && writer.isHeld()).toBe(true);
    });
    await lock.read.run(async (reader) => {
      await using again = await lock.read.acquire();
      expect(await reader.tryUpgrade()).toBeUndefined();
      expect(again.isHeld() && reader.isHeld()).toBe(true);
    });
  });

  it('is not shared while it changes', async () => {
    await using world = await World.open();
    const client = await world.client();
    const lock = client.rwLock('l', { reentrant: true });
    await lock.read.run(async (reader) => {
      const upgrading = reader.tryUpgrade();
      expect(await outcome(lock.read.acquire())).toMatchObject({ code: 'ALREADY_HELD' });
      expect((await upgrading)?.isHeld()).toBe(true);
    });
    expect(await standing(world, rwLine('l'))).toEqual([]);
  });
});

it('close waits for callbacks within callbacks, and then gives back what they shared', async () => {
  await using world = await World.open();
  const client = await world.client();
  const lock = client.mutex('m', { reentrant: true });
  const story: string[] = [];
  const running = lock.run(async (outer) => {
    await lock.run(async (inner) => {
      await new Promise((resolve) => inner.signal.addEventListener('abort', resolve));
      story.push(`inner ${outer.signal.aborted} ${inner.isHeld()}`);
    });
    await world.store.get('elsewhere');
    story.push(`outer ${(await tickets(world)).length}`);
  });
  await world.settle();

  await client.close();

  expect(story).toEqual(['inner true true', 'outer 1']);
  await running;
});

it('a callback gets nothing once more after close has begun', async () => {
  await using world = await World.open();
  const client = await world.client();
  const lock = client.mutex('m', { reentrant: true });
  const running = lock.run(async () => {
    const closing = client.close();
    expect(await outcome(lock.acquire())).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(lock.tryAcquire())).toMatchObject({ code: 'CLOSED' });
    return { closing };
  });

  await (
    await world.run(running)
  ).closing;
});
