import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import type { Mutex } from '../../src/lock/mutex.js';
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
    const before = one.transport.calls.length;
    const watches = one.transport.watchCommands.length;
    const next = one.conclave.mutex(name).acquire();
    await untilLine(other.conclave.mutex(name), 2);
    // The watch is open once its creation is answered; a release before that would be seen by a read.
    await vi.waitFor(
      () =>
        expect(one.transport.watchesCreated).toBe(
          one.transport.watchCommands.filter((kind) => kind === 'create').length,
        ),
      patience,
    );
    await hold.release();
    const granted = await next;
    expect(one.transport.calls.slice(before)).toEqual(['txn']);
    expect(one.transport.watchCommands.slice(watches)).toEqual(['create', 'cancel']);
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
