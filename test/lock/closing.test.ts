import { describe, expect, it } from 'vitest';
import { ClosedError, type Conclave, type Hold } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from './observe.js';

/** Once it is granted before `close` comes in so many turns of the microtask queue on end, it always is. */
const enoughGrants = 5;

/** Begins to take the lock, and resolves when `close` may come. */
type Beginning = (client: Conclave) => Promise<{ granted: Promise<unknown> }>;

const beginnings: Readonly<Record<string, Beginning>> = {
  'a first acquire': (client) => Promise.resolve({ granted: outcome(client.mutex('m').acquire()) }),
  tryAcquire: (client) => Promise.resolve({ granted: outcome(client.mutex('m').tryAcquire()) }),
  'a hand-over in the same process': async (client) => {
    const hold = await client.mutex('m').acquire();
    const granted = outcome(client.mutex('m').acquire());
    await hold.release();
    return { granted };
  },
  'a first acquire with a lock delay': (client) =>
    Promise.resolve({ granted: outcome(client.mutex('m', { lockDelayMs: 1 }).acquire()) }),
  'a hand-over with a lock delay': async (client) => {
    const hold = await client.mutex('m', { lockDelayMs: 1 }).acquire();
    const granted = outcome(client.mutex('m', { lockDelayMs: 1 }).acquire());
    await hold.release();
    return { granted };
  },
  'acquire of a set': (client) =>
    Promise.resolve({ granted: outcome(client.multiLock(['a', 'b']).acquire()) }),
  'tryAcquire of permits beside others': async (client) => {
    await client.semaphore('s', { limit: 2 }).acquire();
    return { granted: outcome(client.semaphore('s').tryAcquire()) };
  },
  'a hand-over from a writer to a reader': async (client) => {
    const hold = await client.rwLock('l').write.acquire();
    const granted = outcome(client.rwLock('l').read.acquire());
    await hold.release();
    return { granted };
  },
};

describe.each(Object.entries(beginnings))('close at any moment of %s', (_, begin) => {
  it('leaves no hold that was not told to stop, and no key', async () => {
    for (let turns = 0, grants = 0; grants < enoughGrants; turns++) {
      expect(turns).toBeLessThan(200);
      await using world = await World.open();
      const client = await world.client();
      await (await client.mutex('warm-up').acquire()).release();

      const { granted } = await begin(client);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await client.close();

      const result = await granted;
      grants = result instanceof Error ? 0 : grants + 1;
      if (result instanceof Error) expect(result).toBeInstanceOf(ClosedError);
      else expect((result as Hold).signal.reason).toBeInstanceOf(ClosedError);
      expect((await world.store.lease.list()).leases).toEqual([]);
    }
  });
});

describe('close', () => {
  it('ends a session that is being opened for withSession', async () => {
    await using world = await World.open();
    const client = await world.client();
    const opening = outcome(client.withSession());

    await client.close();

    expect(await opening).toBeInstanceOf(ClosedError);
    expect((await world.store.lease.list()).leases).toEqual([]);
  });

  it('waits for a session of its own that is being closed already', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    let isDone = false;
    const running = own.mutex('m').run(async (hold) => {
      await new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
      await world.store.get('anything');
      isDone = true;
    });
    await world.settle();

    void own.close();
    await client.close();

    expect(isDone).toBe(true);
    await running;
    expect((await world.store.lease.list()).leases).toEqual([]);
  });

  it('does not cut short the margin of a callback whose session was lost while it was waited for', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 10_000 });
    const other = await world.client();
    let finish = (): void => {};
    const running = outcome(client.mutex('m').run(() => new Promise<void>((resolve) => (finish = resolve))));
    await world.settle();
    const grantedAt: number[] = [];
    const next = other.mutex('m').acquire();
    void next.then(() => grantedAt.push(world.now()));
    world.partition(client, { refuses: true });

    const closing = client.close({ drainTimeoutMs: 8_500 }); // half a second after the deadline
    await world.advance(8_200);
    world.heal(client); // a revoke would get through
    await world.advance(300);
    await closing;
    await world.advance(5_000);

    expect(grantedAt[0]).toBeGreaterThanOrEqual(10_000);
    finish();
    expect(await running).toMatchObject({ code: 'HOLD_LOST' });
    await (await next).release();
  });
});
