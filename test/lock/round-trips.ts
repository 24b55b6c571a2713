import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import type { Mutex } from '../../src/lock/mutex.js';
import type { Hold } from '../../src/session/hold.js';
import type { Method } from '../../src/store/transport.js';
import { RecordingTransport } from '../rig/recording-transport.js';
import type { Backend } from '../store/contract.js';
import { patience } from '../rig/patience.js';

interface Counted {
  readonly conclave: Conclave;
  readonly transport: RecordingTransport;
}

/** The budget of requests, counted where they leave the library. One round trip each; streams are listed apart. */
export function roundTrips(start: () => Promise<Backend>): void {
  let backend: Backend;
  let one: Counted;
  let other: Counted;

  const open = (): Counted => {
    const transport = new RecordingTransport(backend.transport());
    // So long that no renewal, heartbeat or recheck falls into a test.
    const conclave = Conclave.over(transport, { runtime: systemRuntime, sessionTtlMs: 600_000 });
    return { conclave, transport };
  };
  /** The requests that `work` makes. */
  const requests = async (client: Counted, work: () => Promise<unknown>): Promise<Method[]> => {
    const before = client.transport.calls.length;
    await work();
    return client.transport.calls.slice(before);
  };
  const revision = async (): Promise<bigint> => (await one.conclave.store.get('any')).header.revision;
  /** What `work` costs: one request, which makes one revision. */
  const once = async (client: Counted, work: () => Promise<unknown>): Promise<void> => {
    const before = await revision();
    expect(await requests(client, work)).toEqual(['txn']);
    expect(await revision()).toBe(before + 1n);
  };
  /** Waits with `one` until `hold` is released: nothing may be asked after that. */
  const handOver = async (
    acquire: () => Promise<Hold>,
    untilBehind: () => Promise<void>,
    hold: Hold,
  ): Promise<{ asked: Method[]; watched: string[]; granted: Hold }> => {
    const before = one.transport.calls.length;
    const watches = one.transport.watchCommands.length;
    const createdBefore = created();
    const next = acquire();
    await untilBehind();
    // The ticket may stand before its owner has heard of that. The watch is open once its creation is answered; a release
    // before that would be seen by a read.
    await vi.waitFor(() => {
      expect(created()).toBeGreaterThan(createdBefore);
      expect(one.transport.watchesCreated).toBe(created());
    }, patience);
    await hold.release();
    const granted = await next;
    return {
      asked: one.transport.calls.slice(before),
      watched: one.transport.watchCommands.slice(watches),
      granted,
    };
  };
  const created = (): number => one.transport.watchCommands.filter((kind) => kind === 'create').length;
  const untilLine = (mutex: Mutex, length: number): Promise<void> =>
    vi.waitFor(
      async () => {
        const { holder, waiters } = await mutex.inspect();
        expect((holder ? 1 : 0) + waiters.length).toBe(length);
      },
      { timeout: 30_000, interval: 5 },
    );

  beforeAll(async () => {
    backend = await start();
    one = open();
    other = open();
    // Their sessions are open before anything is counted.
    for (const { conclave } of [one, other]) await conclave.mutex(randomUUID()).run(async () => {});
  });

  afterAll(async () => {
    await one.conclave.close();
    await other.conclave.close();
    await backend[Symbol.asyncDispose]();
  });

  it('opening a session: the grant, and its key', async () => {
    const fresh = open();
    expect(await requests(fresh, () => fresh.conclave.withSession())).toEqual(['leaseGrant', 'txn']);
    await fresh.conclave.close();
  });

  it('the first use of a Conclave opens one session, however many come at once', async () => {
    const fresh = open();
    const names = Array.from({ length: 10 }, () => randomUUID());
    const asked = await requests(fresh, () =>
      Promise.all(names.map((name) => fresh.conclave.mutex(name).acquire())),
    );
    expect(asked).toEqual(['leaseGrant', 'txn', ...names.map(() => 'txn')]);
    await fresh.conclave.close();
  });

  it('acquire of a free lock: 1, release: 1, and no watch', async () => {
    const mutex = one.conclave.mutex(randomUUID());
    const watches = one.transport.watchCommands.filter((kind) => kind === 'create').length;
    let hold: Awaited<ReturnType<typeof mutex.acquire>> | undefined;
    expect(await requests(one, async () => (hold = await mutex.acquire()))).toEqual(['txn']);
    expect(await requests(one, async () => hold?.isHeld())).toEqual([]);
    expect(await requests(one, async () => hold?.release())).toEqual(['txn']);
    expect(await requests(one, async () => hold?.release())).toEqual([]);
    expect(one.transport.watchCommands.filter((kind) => kind === 'create')).toHaveLength(watches);
  });

  it('run: 2', async () => {
    const mutex = one.conclave.mutex(randomUUID());
    expect(await requests(one, () => mutex.run(async () => {}))).toEqual(['txn', 'txn']);
  });

  describe('tryAcquire: 1', () => {
    it('when it gets the lock', async () => {
      const mutex = one.conclave.mutex(randomUUID());
      let hold: Awaited<ReturnType<typeof mutex.tryAcquire>>;
      expect(await requests(one, async () => (hold = await mutex.tryAcquire()))).toEqual(['txn']);
      expect(hold?.isHeld()).toBe(true);
      await hold?.release();
    });

    it('when it does not, and it leaves no trace', async () => {
      const name = randomUUID();
      await using hold = await other.conclave.mutex(name).acquire();
      const before = await revision();
      const mutex = one.conclave.mutex(name);
      expect(await requests(one, async () => expect(await mutex.tryAcquire()).toBeUndefined())).toEqual([
        'txn',
      ]);
      expect(await revision()).toBe(before);
      expect(hold.isHeld()).toBe(true);
    });

    it('none when somebody of this process has it', async () => {
      const mutex = one.conclave.mutex(randomUUID());
      await using hold = await mutex.acquire();
      expect(await requests(one, () => mutex.tryAcquire())).toEqual([]);
      expect(hold.isHeld()).toBe(true);
    });
  });

  it('acquire of a lock that is taken: 1 and a watch; nothing after the event that hands it over', async () => {
    const name = randomUUID();
    const hold = await other.conclave.mutex(name).acquire();
    const { asked, watched, granted } = await handOver(
      () => one.conclave.mutex(name).acquire(),
      () => untilLine(other.conclave.mutex(name), 2),
      hold,
    );
    expect(asked).toEqual(['txn']);
    expect(watched).toEqual(['create', 'cancel']);
    await granted.release();
  });

  it('a hand-over within a process: 1, which makes one revision', async () => {
    const mutex = one.conclave.mutex(randomUUID());
    const hold = await mutex.acquire();
    const next = mutex.acquire();
    const before = await revision();
    const asked = await requests(one, async () => {
      await hold.release();
      await next;
    });
    expect(asked).toEqual(['txn']);
    expect(await revision()).toBe(before + 1n);
    await (await next).release();
  });

  it('inspect: 1; commit: 1', async () => {
    const mutex = one.conclave.mutex(randomUUID());
    await using hold = await mutex.acquire();
    expect(await requests(one, () => mutex.inspect())).toEqual(['get']);
    expect(await requests(one, () => hold.commit([]))).toEqual(['txn']);
  });

  const untilStanding = (
    inspect: () => Promise<{ holders: readonly unknown[]; waiters: readonly unknown[] }>,
    count: number,
  ): Promise<void> =>
    vi.waitFor(async () => {
      const { holders, waiters } = await inspect();
      expect(holders.length + waiters.length).toBe(count);
    }, patience);

  describe('a read/write lock', () => {
    it.each(['read', 'write'] as const)('to %s, free: 1; release: 1; inspect: 1', async (mode) => {
      const lock = one.conclave.rwLock(randomUUID());
      let hold: Hold | undefined;
      await once(one, async () => (hold = await lock[mode].acquire()));
      expect(await requests(one, () => lock.inspect())).toEqual(['get']);
      await once(one, async () => hold?.release());
      await once(one, async () => (hold = await lock[mode].tryAcquire()));
      expect(hold?.isHeld()).toBe(true);
      await hold?.release();
    });

    it('beside another reader: 1 to acquire, 2 to try', async () => {
      const name = randomUUID();
      await using hold = await other.conclave.rwLock(name).read.acquire();
      const lock = one.conclave.rwLock(name);
      await once(one, async () => await lock.read.acquire());
      let tried: Hold | undefined;
      expect(await requests(one, async () => (tried = await lock.read.tryAcquire()))).toEqual(['txn', 'txn']);
      expect(tried?.isHeld() && hold.isHeld()).toBe(true);
    });

    it('tried and not free: 1, and no trace', async () => {
      const name = randomUUID();
      await using hold = await other.conclave.rwLock(name).read.acquire();
      const before = await revision();
      const lock = one.conclave.rwLock(name);
      expect(await requests(one, async () => expect(await lock.write.tryAcquire()).toBeUndefined())).toEqual([
        'txn',
      ]);
      expect(await revision()).toBe(before);
      expect(hold.isHeld()).toBe(true);
    });

    it('downgrade: 1; upgrade: 1, also when it is not alone', async () => {
      const name = randomUUID();
      const writer = await one.conclave.rwLock(name).write.acquire();
      let reader: Awaited<ReturnType<typeof writer.downgrade>> | undefined;
      await once(one, async () => (reader = await writer.downgrade()));
      let again: Awaited<ReturnType<NonNullable<typeof reader>['tryUpgrade']>>;
      await once(one, async () => (again = await reader?.tryUpgrade()));
      const second = await again!.downgrade();
      await using beside = await other.conclave.rwLock(name).read.acquire();
      expect(await requests(one, () => second.tryUpgrade())).toEqual(['txn']);
      expect(beside.isHeld()).toBe(true);
      await second.release();
    });

    it.each(['read', 'write'] as const)('a hand-over to %s: nothing after the event', async (mode) => {
      const name = randomUUID();
      const hold = await other.conclave.rwLock(name).write.acquire();
      const { asked, watched, granted } = await handOver(
        () => one.conclave.rwLock(name)[mode].acquire(),
        () => untilStanding(() => other.conclave.rwLock(name).inspect(), 2),
        hold,
      );
      expect(asked).toEqual(['txn']);
      expect(watched).toEqual(['create', 'cancel']);
      await granted.release();
    });
  });

  describe('a semaphore', () => {
    it('free: 1, also when that stores the limit; release: 1; inspect: 1', async () => {
      const semaphore = one.conclave.semaphore(randomUUID(), { limit: 3 });
      let hold: Hold | undefined;
      for (let i = 0; i < 2; i++) {
        await once(one, async () => (hold = await semaphore.acquire({ permits: 2 })));
        expect(await requests(one, () => semaphore.inspect())).toEqual(['get']);
        await once(one, async () => hold?.release());
      }
      await once(one, async () => (hold = await semaphore.tryAcquire()));
      await hold?.release();
    });

    it('beside others: 1 to acquire, 2 to try, 1 if nothing is free', async () => {
      const name = randomUUID();
      await using hold = await other.conclave.semaphore(name, { limit: 3 }).acquire();
      const semaphore = one.conclave.semaphore(name);
      await once(one, async () => await semaphore.acquire());
      let tried: Hold | undefined;
      expect(await requests(one, async () => (tried = await semaphore.tryAcquire()))).toEqual(['txn', 'txn']);
      expect(tried?.isHeld() && hold.isHeld()).toBe(true);
      const before = await revision();
      expect(await requests(one, async () => expect(await semaphore.tryAcquire()).toBeUndefined())).toEqual([
        'txn',
      ]);
      expect(await revision()).toBe(before);
    });

    it('a hand-over: nothing after the event; a resize that lets in: neither', async () => {
      const name = randomUUID();
      const hold = await other.conclave.semaphore(name, { limit: 1 }).acquire();
      const { asked, granted } = await handOver(
        () => one.conclave.semaphore(name).acquire(),
        () => untilStanding(() => other.conclave.semaphore(name).inspect(), 2),
        hold,
      );
      expect(asked).toEqual(['txn']);

      const before = one.transport.calls.length;
      const second = one.conclave.semaphore(name).acquire();
      await untilStanding(() => other.conclave.semaphore(name).inspect(), 2);
      await vi.waitFor(() => expect(one.transport.watchesCreated).toBe(created()), patience);
      expect(await requests(other, () => other.conclave.semaphore(name).resize(2))).toEqual(['get', 'txn']);
      await (await second).release();
      expect(one.transport.calls.slice(before)).toEqual(['txn', 'txn']); // the take, and the release
      await granted.release();
    });
  });

  describe('a multi-lock', () => {
    it.each([2, 60])('of %i, free: 1, which makes one revision; release: 1; inspect: 1', async (count) => {
      const lock = one.conclave.multiLock(Array.from({ length: count }, () => randomUUID()));
      let hold: Hold | undefined;
      await once(one, async () => (hold = await lock.acquire()));
      expect(await requests(one, () => lock.inspect())).toHaveLength(1);
      expect(await requests(one, async () => hold?.commit([]))).toEqual(['txn']);
      await once(one, async () => hold?.release());
      await once(one, async () => (hold = await lock.tryAcquire()));
      await hold?.release();
    });

    it('tried and not free: 1, and no trace', async () => {
      const names = [randomUUID(), randomUUID()];
      await using hold = await other.conclave.mutex(names[1]!).acquire();
      const before = await revision();
      const lock = one.conclave.multiLock(names);
      expect(await requests(one, async () => expect(await lock.tryAcquire()).toBeUndefined())).toEqual([
        'txn',
      ]);
      expect(await revision()).toBe(before);
      expect(hold.isHeld()).toBe(true);
    });

    it('a hand-over: a watch for each line, and nothing after the event', async () => {
      const names = [randomUUID(), randomUUID()];
      const hold = await other.conclave.multiLock(names).acquire();
      const { asked, watched, granted } = await handOver(
        () => one.conclave.multiLock(names).acquire(),
        () => untilLine(other.conclave.mutex(names[1]!), 2),
        hold,
      );
      expect(asked).toEqual(['txn']);
      expect(watched).toEqual(['create', 'create', 'cancel', 'cancel']);
      await granted.release();
    });
  });

  describe('with a lock delay', () => {
    const lockDelayMs = 60_000; // nothing here may wait for it

    it('free: 1, release: 1, also by tryAcquire', async () => {
      const mutex = one.conclave.mutex(randomUUID(), { lockDelayMs });
      let hold: Hold | undefined;
      await once(one, async () => (hold = await mutex.acquire()));
      await once(one, async () => hold?.release());
      await once(one, async () => (hold = await mutex.tryAcquire()));
      await once(one, async () => hold?.release());
    });

    it('a hand-over: 1 more after the event', async () => {
      const name = randomUUID();
      const hold = await other.conclave.mutex(name, { lockDelayMs }).acquire();
      const { asked, granted } = await handOver(
        () => one.conclave.mutex(name, { lockDelayMs }).acquire(),
        () => untilLine(other.conclave.mutex(name), 2),
        hold,
      );
      expect(asked).toEqual(['txn', 'txn']);
      await granted.release();
    });
  });

  it('what a callback holds already: nothing', async () => {
    const mutex = one.conclave.mutex(randomUUID(), { reentrant: true });
    await mutex.run(async () => {
      expect(await requests(one, () => mutex.run(async () => {}))).toEqual([]);
    });
  });

  it('refused before any request: bad names, times and TTLs, on a store that cannot be reached, too', async () => {
    const { conclave, transport } = open();
    expect(() => conclave.mutex('')).toThrow(TypeError);
    expect(() => conclave.mutex({ path: '' })).toThrow(TypeError);
    expect(() => conclave.mutex('\ud800')).toThrow(TypeError);
    expect(() => conclave.mutex('x'.repeat(513))).toThrow(RangeError);
    const mutex = conclave.mutex(randomUUID());
    for (const timeoutMs of [NaN, -1, 2 ** 31])
      await expect(mutex.acquire({ timeoutMs })).rejects.toThrow(RangeError);
    for (const ttlMs of [1_999, 2_500, 0, NaN, -1])
      await expect(conclave.withSession({ ttlMs })).rejects.toThrow(RangeError);
    const reason = new Error('enough');
    await expect(mutex.acquire({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(transport.calls).toEqual([]);
    await conclave.close();
    await expect(mutex.acquire()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(transport.calls).toEqual([]);
  });
}
