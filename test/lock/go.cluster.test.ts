import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { put } from '../../src/store/operations.js';
import { Cluster } from '../rig/cluster.js';
import { GoBuild, type GoProgram } from '../rig/go-program.js';
import { figure, guardMs, untilWaiting } from './fixture.js';

let go: GoBuild;
let cluster: Cluster;
let one: Conclave;
let other: Conclave;
let path: string;

beforeAll(async () => {
  go = await GoBuild.make();
  cluster = await Cluster.start({ members: 3 });
  one = await connect({ endpoints: cluster.endpoints });
  other = await connect({ endpoints: cluster.endpoints });
}, 5 * guardMs);

afterAll(async () => {
  await one.close();
  await other.close();
  await cluster.dispose();
  await go[Symbol.asyncDispose]();
});

beforeEach((context) => {
  if (go.lacks !== undefined) context.skip(go.lacks);
  path = `interop/${randomUUID()}`;
});

const lock = (ttlSeconds = 20): GoProgram => go.start(cluster.endpoints, ttlSeconds, 'lock', path);

describe('a mutex shared with a Go program', { timeout: 2 * guardMs }, () => {
  it('that has it, is ours when it unlocks, and not before', async () => {
    await using theirs = lock();
    const held = await theirs.holds();
    const mutex = one.mutex({ path });
    expect((await mutex.inspect()).holder).toEqual(held);
    expect(await mutex.tryAcquire()).toBeUndefined();
    await expect(mutex.acquire({ timeoutMs: 50 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' });

    const next = mutex.acquire();
    await untilWaiting(mutex, 1);
    expect(await theirs.ask('write mark theirs')).toBe('written true');
    expect(await theirs.ask('release')).toBe('released');
    await using hold = await next;
    expect(hold.fencingToken).toBeGreaterThan(held.fencingToken);
    expect((await one.store.get(held.key)).count).toBe(0);
  });

  it('that is killed, is ours when its lease has ended', async () => {
    await using theirs = lock(2);
    const { key } = await theirs.holds();
    const mutex = one.mutex({ path });
    const next = mutex.acquire();
    await untilWaiting(mutex, 1);
    await theirs.kill();
    await using hold = await next;
    expect((await one.store.get(key)).count).toBe(0);
    expect(await one.store.txn({ if: hold.guard() })).toMatchObject({ succeeded: true });
  });

  it('that waits, is its when we release, and not before', async () => {
    const hold = await one.mutex({ path }).acquire();
    await using theirs = lock();
    const { waiters } = await untilWaiting(one.mutex({ path }), 1);
    expect(theirs.said).toEqual([]);
    const releasedAt = performance.now();
    await hold.release();
    expect(await theirs.holds()).toEqual(waiters[0]);
    figure('Go held the lock after our release', performance.now() - releasedAt);
    expect(hold.fencingToken).toBeLessThan(waiters[0]!.fencingToken);
  });

  it('that waits, is its when our lease has ended', async () => {
    await using session = await one.withSession({ ttlMs: 30_000 });
    const hold = await session.mutex({ path }).acquire();
    await using theirs = lock();
    await untilWaiting(one.mutex({ path }), 1);
    expect(theirs.said).toEqual([]);
    await one.store.lease.revoke(session.leaseId);
    await theirs.holds();
    await expect(hold.commit([put('mark', 'ours')])).rejects.toMatchObject({
      code: expect.stringMatching(/^(HOLD_LOST|FENCED_OUT)$/) as string,
    });
  });

  it('goes from one to the other in the order in which they came', async () => {
    const mutex = one.mutex({ path });
    const first = await mutex.acquire();
    await using second = lock();
    await untilWaiting(mutex, 1);
    const third = other.mutex({ path }).acquire();
    await untilWaiting(mutex, 2);
    await using fourth = lock();
    await untilWaiting(mutex, 3);
    const fifth = mutex.acquire(); // in the local queue of the first, behind the others
    await first.release();

    const { fencingToken } = await second.holds();
    await untilWaiting(mutex, 3);
    await second.ask('release');
    const hold = await third;
    expect(fourth.said).toEqual([]);
    await hold.release();
    const after = await fourth.holds();
    await fourth.ask('release');
    const last = await fifth;
    await last.release();
    const tokens = [first.fencingToken, fencingToken, hold.fencingToken, after.fencingToken];
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
    expect(await mutex.inspect()).toMatchObject({ holder: undefined, waiters: [] });
  });

  it('refuses what an overtaken Go holder writes under its guard, and takes what the next one writes', async () => {
    await using theirs = lock();
    const { key } = await theirs.holds();
    const mark = `mark/${path}`;
    await one.store.remove(key); // as an administrator takes it away
    await using hold = await one.mutex({ path }).acquire();
    expect(await theirs.ask(`write ${mark} theirs`)).toBe('written false');
    await hold.commit([put(mark, 'ours')]);
    expect((await one.store.get(mark)).count).toBe(1);
  });
});
