import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import { systemRuntime } from '../../src/base/runtime.js';
import { get, put, txn } from '../../src/store/operations.js';
import { Cluster } from '../rig/cluster.js';
import { Client } from './fixture.js';

let cluster: Cluster;
let client: Client;

beforeAll(async () => {
  cluster = await Cluster.start();
  client = new Client(cluster.endpoints[0]!);
}, 30_000);

afterAll(async () => {
  await client.transport.close();
  await cluster.dispose();
});

describe('a lease', () => {
  it('is granted with the id the client chose, or one of the server', async () => {
    const id = systemRuntime.id();
    expect(await client.call('leaseGrant', { id, ttlSeconds: 60 })).toMatchObject({ id, ttlSeconds: 60 });
    const other = await client.call('leaseGrant', { id: 0n, ttlSeconds: 1 });
    expect(other.id).toBeGreaterThan(0n);
    expect(other.ttlSeconds).toBe(2); // the server's minimum
    expect((await client.call('leaseList', {})).leases).toEqual(expect.arrayContaining([id, other.id]));
  });

  it('takes ids of 63 bits', async () => {
    const id = 2n ** 63n - 1n;
    expect((await client.call('leaseGrant', { id, ttlSeconds: 60 })).id).toBe(id);
    await client.call('put', put('63 bits', '', { lease: id }));
    expect((await client.call('get', get('63 bits'))).kvs[0]!.lease).toBe(id);
  });

  it('cannot be granted twice', async () => {
    const id = systemRuntime.id();
    await client.call('leaseGrant', { id, ttlSeconds: 60 });
    expect(await client.failure('leaseGrant', { id, ttlSeconds: 60 })).toMatchObject({
      status: 'failed-precondition',
      detail: 'etcdserver: lease already exists',
      neverSent: false,
    });
  });

  it('tells its time and its keys, and takes them with it when it is revoked', async () => {
    const { id } = await client.call('leaseGrant', { id: 0n, ttlSeconds: 60 });
    await client.call('put', put('leased', '', { lease: id }));
    const alive = await client.call('leaseTimeToLive', { id, keys: true });
    expect(alive.ttlSeconds).toBeGreaterThan(50);
    expect([alive.id, alive.grantedTtlSeconds, alive.keys.map(toText)]).toEqual([id, 60, ['leased']]);

    await client.call('leaseRevoke', { id });

    expect((await client.call('get', get('leased'))).count).toBe(0);
    const gone = await client.call('leaseTimeToLive', { id, keys: true });
    expect([gone.ttlSeconds, gone.keys]).toEqual([-1, []]);
    expect(await client.failure('leaseRevoke', { id })).toMatchObject({
      status: 'not-found',
      detail: 'etcdserver: requested lease not found',
    });
  });
});

describe('an error of the server', () => {
  it('keeps its status and its text', async () => {
    const { header } = await client.call('put', put('k', ''));
    await client.call('put', put('k', ''));
    await client.call('compact', { revision: header.revision + 1n, physical: true });
    const cases = [
      [get('k', { revision: 1n }), 'out-of-range', 'etcdserver: mvcc: required revision has been compacted'],
      [
        get('k', { revision: 10_000n }),
        'out-of-range',
        'etcdserver: mvcc: required revision is a future revision',
      ],
    ] as const;
    for (const [request, status, detail] of cases)
      expect(await client.failure('get', request)).toMatchObject({ status, detail, neverSent: false });
    expect(await client.failure('txn', txn({ then: [put('d', ''), put('d', '')] }))).toMatchObject({
      status: 'invalid-argument',
      detail: 'etcdserver: duplicate key given in txn request',
    });
    expect(await client.failure('put', put('k', '', { lease: 12_345n }))).toMatchObject({
      status: 'not-found',
      detail: 'etcdserver: requested lease not found',
    });
    expect(await client.failure('put', put('k', new Uint8Array(3_000_000)))).toMatchObject({
      neverSent: false,
      detail: expect.stringContaining('larger than max') as string,
    });
  });
});

it('reads the status of the member asked', async () => {
  const status = await client.call('status', {});
  expect(status).toMatchObject({ version: expect.stringMatching(/^3\./) as string });
  expect(status.leader).toBe(status.header.memberId);
  expect(status.dbSizeBytes).toBeGreaterThan(0n);
  expect(status.header.clusterId).toBeGreaterThan(0n);
  expect(status.header.raftTerm).toBeGreaterThan(0n);
});

it('returns answers larger than the 4 MB that gRPC allows by default', async () => {
  const value = new Uint8Array(1_000_000).fill(7);
  for (let i = 0; i < 6; i++) await client.call('put', put(`big/${i}`, value));
  const { kvs } = await client.call('get', get({ key: Buffer.from('big/'), end: Buffer.from('big0') }));
  expect(kvs.map((kv) => kv.value.length)).toEqual(Array(6).fill(1_000_000));
});
