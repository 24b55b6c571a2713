import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { sessionKey } from '../../src/base/keys.js';
import { toText } from '../../src/base/bytes.js';
import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { prefix } from '../../src/store/operations.js';
import { Store } from '../../src/store/store.js';
import { figure, guardMs } from '../lock/fixture.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { Proxy } from '../rig/proxy.js';

let cluster: Cluster;
let store: Store;

beforeAll(async () => {
  cluster = await Cluster.start();
  const transport = new EtcdTransport({
    endpoints: cluster.endpoints,
    runtime: systemRuntime,
    dialTimeoutMs: 5_000,
  });
  store = new Store(transport, { runtime: systemRuntime });
});

afterAll(async () => {
  await store.close();
  await cluster.dispose();
});

it(
  'a process with 50 holds that gets SIGTERM and closes releases all of them by delete, and ends by itself',
  { timeout: 2 * guardMs },
  async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    const namespace = randomUUID();
    const sessionTtlMs = 60_000;
    await using client = await Client.connect({ endpoints: [proxy.endpoint], namespace, sessionTtlMs });
    const before = await store.get(prefix(namespace), { countOnly: true });
    const holds = await Promise.all(Array.from({ length: 50 }, (_, i) => client.acquire(`lock ${i}`)));
    // One that waits, so that a watch of a line is open too.
    await using holder = await Client.connect({ endpoints: cluster.endpoints, namespace, sessionTtlMs });
    await holder.acquire('contended');
    const waiting = client.acquire('contended');
    await vi.waitFor(
      async () => expect((await store.get(prefix(`${namespace}/lock/contended/`))).count).toBe(2),
      { timeout: guardMs },
    );
    const ttl = await store.lease.list();
    expect(ttl.leases).toHaveLength(2);

    const terminatedAt = performance.now();
    client.signal('SIGTERM');
    const ended = await client.ended;
    figure('close with 50 holds, and end of the process, after SIGTERM', performance.now() - terminatedAt);

    expect({ ...ended, errors: client.errors }).toEqual({ code: 0, signal: null, errors: '' });
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    // Nothing but its pipes was left when close had resolved.
    const { resources } = await client.told('closed');
    figure('resources of the process after close', JSON.stringify(resources));
    expect(resources).not.toContain('Timeout');
    expect(resources).not.toContain('TCPSocketWrap');
    expect(proxy.connections).toBe(0);

    // Each ticket went by a delete of its own, before the lease, whose end would have taken all in one revision.
    const deletions = new Map<string, bigint>();
    for await (const notice of store.watch(prefix(namespace), {
      startRevision: before.header.revision + 1n,
      exclude: ['put'],
    })) {
      if (notice.kind !== 'events') continue;
      for (const { kv } of notice.events) deletions.set(toText(kv.key), kv.modRevision);
      if ([...deletions.keys()].some((key) => key.startsWith(`${namespace}/session/`))) break;
    }
    const leaseId = BigInt(`0x${holds[0]!.key.split('/').at(-1)!.split('-')[0]!}`);
    const revokedAt = deletions.get(sessionKey(namespace, leaseId))!;
    const revisions = holds.map(({ key }) => deletions.get(key)!);
    expect(revisions.filter((revision) => revision < revokedAt)).toHaveLength(50);
    expect(new Set(revisions).size).toBe(50);
    expect((await store.lease.list()).leases).not.toContain(leaseId);
  },
);

it(
  'a process without holds, and one whose etcd is away, end by themselves too',
  { timeout: 2 * guardMs },
  async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    const options = { endpoints: [proxy.endpoint], namespace: randomUUID(), sessionTtlMs: 3_000 };
    await using idle = await Client.connect(options);
    await using cutOff = await Client.connect(options);
    await cutOff.acquire('held');
    idle.signal('SIGTERM');
    expect(await idle.ended).toMatchObject({ code: 0 });
    await proxy.set('silent');
    const terminatedAt = performance.now();
    cutOff.signal('SIGTERM');
    expect(await cutOff.ended).toMatchObject({ code: 0 });
    figure('end of a process that could not reach etcd, TTL 3000 ms', performance.now() - terminatedAt);
    expect(cutOff.errors).toBe('');
  },
);
