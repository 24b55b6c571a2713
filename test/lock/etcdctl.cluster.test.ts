import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { get } from '../../src/store/operations.js';
import { Cluster } from '../rig/cluster.js';
import { EtcdctlLock } from '../rig/etcdctl-program.js';
import { figure, guardMs, untilWaiting } from './fixture.js';

let cluster: Cluster;
let one: Conclave;
let other: Conclave;

beforeAll(async () => {
  cluster = await Cluster.start();
  one = await connect({ endpoints: cluster.endpoints });
  other = await connect({ endpoints: cluster.endpoints });
});

afterAll(async () => {
  await one.close();
  await other.close();
  await cluster.dispose();
});

const ttl = 20;
const lock = (path: string, ...command: string[]): EtcdctlLock =>
  new EtcdctlLock(cluster.endpoints, ttl, path, ...command);

describe('a path shared with etcdctl lock', { timeout: guardMs }, () => {
  it('held by etcdctl, is ours when it unlocks, and not before', async () => {
    const path = randomUUID();
    await using theirs = lock(path);
    const key = await theirs.holds();
    expect(key.startsWith(`${path}/`)).toBe(true);
    const mutex = one.mutex({ path });
    expect(await mutex.tryAcquire()).toBeUndefined();
    await expect(mutex.acquire({ timeoutMs: 50 })).rejects.toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining('another program') as string,
    });
    const next = mutex.acquire();
    const { holder } = await untilWaiting(mutex, 1);
    expect(holder).toEqual({ key, fencingToken: holder?.fencingToken });
    await theirs.interrupt();
    await using hold = await next;
    expect(hold.fencingToken).toBeGreaterThan(holder!.fencingToken);
    expect((await one.store.get(key)).count).toBe(0);
  });

  it('held by us, is that of etcdctl when we release, and not before', async () => {
    const path = randomUUID();
    const hold = await one.mutex({ path }).acquire();
    await using theirs = lock(path);
    await untilWaiting(one.mutex({ path }), 1);
    expect(theirs.output).toBe('');
    const releasedAt = performance.now();
    await hold.release();
    const key = await theirs.holds();
    figure('etcdctl printed its key after our release', performance.now() - releasedAt);
    expect(await one.mutex({ path }).inspect()).toMatchObject({ holder: { key }, waiters: [] });
    await theirs.interrupt();
  });

  it('is served in the order in which two clients and two etcdctl came', async () => {
    const path = randomUUID();
    const first = await one.mutex({ path }).acquire();
    await using second = lock(path);
    await untilWaiting(one.mutex({ path }), 1);
    const third = other.mutex({ path }).acquire();
    await untilWaiting(one.mutex({ path }), 2);
    await using fourth = lock(path);
    await untilWaiting(one.mutex({ path }), 3);
    const fifth = one.mutex({ path }).acquire(); // in the local queue of the first, behind the others
    await first.release();

    await second.holds();
    await untilWaiting(one.mutex({ path }), 3);
    await second.interrupt();
    const hold = await third;
    expect(fourth.output).toBe('');
    await hold.release();
    await fourth.holds();
    await fourth.interrupt();
    await (await fifth).release();
    expect(await one.mutex({ path }).inspect()).toMatchObject({ holder: undefined, waiters: [] });
  });

  it('is left by an etcdctl that was killed when its lease ends', async () => {
    const path = randomUUID();
    await using theirs = new EtcdctlLock(cluster.endpoints, 2, path);
    await theirs.holds();
    const next = one.mutex({ path }).acquire();
    await untilWaiting(one.mutex({ path }), 1);
    await theirs[Symbol.asyncDispose]();
    await (await next).release();
  });

  it('is held while the command of etcdctl runs, and its key and revision are the ticket', async () => {
    const path = randomUUID();
    const hold = await one.mutex({ path }).acquire();
    await using theirs = lock(path, 'sh', '-c', 'echo $ETCD_LOCK_KEY; true');
    await untilWaiting(one.mutex({ path }), 1);
    const after = other.mutex({ path }).acquire();
    const { waiters } = await untilWaiting(one.mutex({ path }), 2);
    await hold.release();
    await using next = await after;
    expect(await theirs.ended).toBe(0);
    expect(theirs.output.trim()).toBe(waiters[0]?.key);
    expect(next.key).toBe(waiters[1]?.key);
  });

  it('has keys in the layout of Go, and nothing else below it', async () => {
    const path = randomUUID();
    await using hold = await one.mutex({ path }).acquire();
    const { kvs } = await one.store.do(get(hold.key));
    expect(hold.key).toMatch(new RegExp(`^${path}/[0-9a-f]+-\\d+$`));
    expect(kvs).toMatchObject([{ createRevision: hold.fencingToken, lease: expect.any(BigInt) as bigint }]);
    const listed = await cluster.etcdctl('get', '--prefix', '--keys-only', path);
    expect(listed.trim()).toBe(hold.key);
    expect(JSON.parse(toText(kvs[0]!.value))).toMatchObject({ v: 1 });
  });
});

describe('names that begin alike', { timeout: guardMs }, () => {
  it('are different locks: a and a/b', async () => {
    const name = randomUUID();
    await using a = await one.mutex(name).acquire();
    await using b = await other.mutex(`${name}/b`).acquire({ timeoutMs: guardMs });
    await using c = await other.mutex(`${name}%2Fb`).acquire({ timeoutMs: guardMs });
    expect([a, b, c].map((hold) => hold.isHeld())).toEqual([true, true, true]);
    expect((await one.mutex(name).inspect()).waiters).toEqual([]);
  });
});
