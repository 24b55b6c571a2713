import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import { HoldLostError, prefix, type ReleaseRequest, UnsupportedError } from '../../src/index.js';
import { outcome } from '../lock/observe.js';
import { patience } from '../rig/patience.js';
import type { Backend } from '../store/contract.js';

/** What asking and forcing promise, on any store. */
export function askingContract(start: () => Promise<Backend>): void {
  let backend: Backend;
  let holder: Conclave;
  let asker: Conclave;
  const namespace = randomUUID();

  const open = (name: string): Conclave =>
    Conclave.over(backend.transport(), {
      runtime: systemRuntime,
      sessionTtlMs: 600_000, // nothing here may come of a slow look
      holder: name,
      namespace,
    });
  const aborted = (signal: AbortSignal): Promise<void> =>
    vi.waitFor(() => expect(signal.aborted).toBe(true), patience);
  /** What has been said to sessions, and stands there still. */
  const said = async (): Promise<number> => {
    const { kvs } = await asker.store.get(prefix(`${namespace}/session/`), { keysOnly: true });
    return kvs.filter(({ key }) => /\/(ask|forced)\//.test(Buffer.from(key).toString())).length;
  };

  beforeAll(async () => {
    backend = await start();
    holder = open('holder');
    asker = open('asker');
  });
  afterAll(async () => {
    await Promise.all([holder.close(), asker.close()]);
    await backend[Symbol.asyncDispose]();
  });

  it('a holder is asked, gives back, and nothing is left', async () => {
    const hold = await holder.mutex('m').acquire();
    const asked = await asker.requestRelease('mutex', 'm', { reason: 'deploy', deadlineMs: 5_000 });
    expect(asked.map(({ key }) => key)).toEqual([hold.key]);
    await aborted(hold.releaseRequested);
    expect(hold.releaseRequested.reason).toMatchObject({ by: { name: 'asker' }, reason: 'deploy' });
    expect(hold.isHeld()).toBe(true);
    expect(await said()).toBe(1);
    await hold.release();
    expect(await said()).toBe(0);
    expect(await asker.requestRelease('mutex', 'm', { reason: 'deploy' })).toEqual([]);
  });

  it('all who share are asked, and each only once', async () => {
    const holds = [await holder.rwLock('l').read.acquire(), await holder.rwLock('l').read.acquire()];
    await asker.requestRelease('rwLock', 'l', { reason: 'first' });
    await asker.requestRelease('rwLock', 'l', { reason: 'second' });
    for (const hold of holds) {
      await aborted(hold.releaseRequested);
      expect((hold.releaseRequested.reason as ReleaseRequest).reason).toBe('first');
      await hold.release();
    }
    expect(await said()).toBe(0);
  });

  it('a holder on a shared path is reached; another program is not', async () => {
    const path = `/raw/${randomUUID()}`;
    const hold = await holder.mutex({ path }).acquire();
    await asker.requestRelease('mutex', { path }, { reason: 'deploy' });
    await aborted(hold.releaseRequested);
    await hold.release();

    await asker.store.put(`${path}/694d`, '');
    const refused = await outcome(asker.requestRelease('mutex', { path }, { reason: 'deploy' }));
    expect(refused).toBeInstanceOf(UnsupportedError);
    const hit = await asker.forceRelease('mutex', { path }, { reason: 'stuck' });
    expect(hit?.key).toBe(`${path}/694d`);
    expect((await asker.store.get(prefix(path))).count).toBe(0);
  });

  it('a ticket is taken away: the holder knows at once, the next one has the lock', async () => {
    const hold = await holder.mutex('m').acquire();
    const waiting = asker.mutex('m').acquire();
    await vi.waitFor(
      async () => expect((await holder.mutex('m').inspect()).waiters).toHaveLength(1),
      patience,
    );

    expect((await asker.forceRelease('mutex', 'm', { reason: 'stuck' }))?.key).toBe(hold.key);

    const next = await waiting;
    await aborted(hold.signal);
    expect(hold.signal.reason).toBeInstanceOf(HoldLostError);
    expect((hold.signal.reason as Error).message).toMatch(/released by force by asker .*: stuck/);
    await next.release();
    await vi.waitFor(async () => expect(await said()).toBe(0), patience);
    expect(await asker.forceRelease('mutex', 'm', { reason: 'stuck' })).toBeUndefined();
  });

  it('a waiter that is taken away is told by whom, and the holder goes on', async () => {
    const hold = await holder.mutex('m').acquire();
    const waiting = outcome(asker.mutex('m').acquire());
    const ticket = await vi.waitFor(async () => {
      const [waiter] = (await holder.mutex('m').inspect()).waiters;
      expect(waiter).toBeDefined();
      return waiter?.key ?? '';
    }, patience);

    await holder.forceRelease('mutex', 'm', { reason: 'wrong place', ticket });

    expect(await waiting).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/by force by holder .*: wrong place/) as unknown,
    });
    expect(hold.isHeld()).toBe(true);
    await hold.release();
    expect(await said()).toBe(0);
  });

  it('a multi-lock is reached, and taken away, in any of its lines', async () => {
    const hold = await holder.multiLock(['a', 'b']).acquire();
    await asker.requestRelease('mutex', 'b', { reason: 'deploy' });
    await aborted(hold.releaseRequested);
    await asker.forceRelease('mutex', 'a', { reason: 'stuck' });
    await aborted(hold.signal);
    const next = await asker.multiLock(['b', 'a']).acquire();
    await next.release();
    expect(await said()).toBe(0);
  });

  it('health tells of a store that answers, and of the session', async () => {
    const { connected, endpoint, sessionRemainingMs = 0, lagMs } = await holder.health();
    expect([connected, holder.store.endpoints.includes(endpoint)]).toEqual([true, true]);
    expect(sessionRemainingMs).toBeGreaterThan(0);
    expect(lagMs).toBeGreaterThanOrEqual(0);
  });
}
