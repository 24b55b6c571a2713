import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Conclave, connect, isConclaveError, prefix, ResourceExhaustedError } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';

let cluster: Cluster;
let conclave: Conclave;

beforeAll(async () => {
  cluster = await Cluster.start({ flags: ['--quota-backend-bytes=2000000'] });
  conclave = await connect({ endpoints: cluster.endpoints, sessionTtlMs: 3_000 });
});
afterAll(async () => {
  await conclave.close();
  await cluster.dispose();
});

/** Until etcd raises the alarm, from which on it takes no put. */
async function fillStore(): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const error: unknown = await conclave.store
      .put(`ballast/${i}`, 'x'.repeat(200_000))
      .catch((e: unknown) => e);
    if (isConclaveError(error)) return;
  }
  throw new Error('the store never filled up');
}

/** Renewals of the session, as they come. */
async function renewals(count: number): Promise<void> {
  let left = count;
  await new Promise<void>((resolve) => {
    const onRenewal = (): void => {
      if (--left > 0) return;
      unsubscribe('conclave:keep-alive', onRenewal);
      resolve();
    };
    subscribe('conclave:keep-alive', onRenewal);
  });
}

describe('while etcd is over its quota', () => {
  it('a hold is renewed and released, and new ones are refused without a trace', async () => {
    const hold = await conclave.mutex('held').acquire();
    await fillStore();
    await renewals(4); // more than the TTL

    expect(hold.isHeld()).toBe(true);
    await expect(conclave.mutex('other').acquire({ timeoutMs: 10_000 })).rejects.toThrow(
      ResourceExhaustedError,
    );
    await expect(conclave.mutex('other').tryAcquire()).rejects.toThrow(ResourceExhaustedError);
    await hold.release();

    const { kvs } = await conclave.store.get(prefix('conclave/lock/'));
    expect(kvs).toEqual([]);
  });

  it.each<[string, () => { acquire(): Promise<unknown>; tryAcquire(): Promise<unknown> }]>([
    ['reader', () => conclave.rwLock('other').read],
    ['writer', () => conclave.rwLock('other').write],
    ['permit', () => conclave.semaphore('other', { limit: 1 })],
    ['set', () => conclave.multiLock(['other', 'another'])],
    ['lock with a delay', () => conclave.mutex('other', { lockDelayMs: 1 })],
  ])('no %s is to be had, and none leaves a trace', async (_, lock) => {
    await fillStore();

    await expect(lock().acquire()).rejects.toThrow(ResourceExhaustedError);
    await expect(lock().tryAcquire()).rejects.toThrow(ResourceExhaustedError);

    for (const folder of ['lock', 'rw', 'semaphore', 'delay'])
      expect((await conclave.store.get(prefix(`conclave/${folder}/`))).kvs).toEqual([]);
  });

  it('a process without a session cannot open one, and says why', async () => {
    const late = await connect({ endpoints: cluster.endpoints, sessionTtlMs: 3_000 });
    const error: unknown = await late
      .mutex('other')
      .tryAcquire()
      .catch((e: unknown) => e);
    await late.close();
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('space quota') as string,
    });
  });
});
