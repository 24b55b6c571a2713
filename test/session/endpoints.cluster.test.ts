import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { connect } from '../../src/connect.js';
import { figure, guardMs, recorded } from '../lock/fixture.js';
import { Cluster } from '../rig/cluster.js';
import { Proxy } from '../rig/proxy.js';
import { patience } from '../rig/patience.js';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ members: 3 });
});

beforeEach(() => cluster.healthy());

afterAll(() => cluster.dispose());

/** Makes another member than this one the leader. */
async function lead(notMember: number): Promise<void> {
  if ((await cluster.leader()) !== notMember) return;
  const status = await cluster.etcdctl(
    'endpoint',
    'status',
    '-w',
    'fields',
    `--endpoints=${cluster.endpoints[(notMember + 1) % 3]!}`,
  );
  const id = /^"MemberID" : (\d+)$/m.exec(status)?.[1] ?? '';
  await cluster.etcdctl(
    'move-leader',
    BigInt(id).toString(16),
    `--endpoints=${cluster.endpoints[notMember]!}`,
  );
  await vi.waitFor(async () => expect(await cluster.leader()).not.toBe(notMember), { timeout: guardMs });
}

describe('another member takes over', () => {
  it.each(['dead', 'frozen'] as const)(
    'from one that is %s: locks go on, on the same session',
    { timeout: 2 * guardMs },
    async (fault) => {
      await using client = recorded(cluster.endpoints, { sessionTtlMs: 15_000 });
      const { conclave, transport } = client;
      await using hold = await conclave.mutex(randomUUID()).acquire();
      const session = hold.key.split('/').at(-1)?.split('-')[0];
      await vi.waitFor(() => expect(transport.watchEndpoint).toBeDefined(), patience);
      const carrier = cluster.endpoints.indexOf(transport.watchEndpoint!);
      await lead(carrier);
      if (fault === 'dead') await cluster.kill(carrier);
      else cluster.stop(carrier);
      try {
        const startedAt = performance.now();
        for (let i = 0; i < 5; i++) {
          await using next = await conclave.mutex(randomUUID()).acquire();
          expect(next.key).toContain(session);
        }
        figure(
          `five locks taken and released after the member became ${fault}`,
          performance.now() - startedAt,
        );
        await vi.waitFor(() => expect(hold.isHeld()).toBe(true), patience);
      } finally {
        if (fault === 'dead') await cluster.restart(carrier);
        else cluster.cont(carrier);
      }
    },
  );

  it('from one behind a network that swallows everything', { timeout: 2 * guardMs }, async () => {
    const proxies = await Promise.all(cluster.endpoints.map((endpoint) => Proxy.start(endpoint)));
    try {
      await using client = recorded(
        proxies.map(({ endpoint }) => endpoint),
        { sessionTtlMs: 15_000 },
      );
      const { conclave, transport } = client;
      await using hold = await conclave.mutex(randomUUID()).acquire();
      const carrier = proxies.find(({ endpoint }) => endpoint === transport.watchEndpoint)!;
      await carrier.set('silent');
      const startedAt = performance.now();
      await conclave.mutex(randomUUID()).run(async () => {});
      figure('lock taken and released after a partition', performance.now() - startedAt);
      await vi.waitFor(() => expect(hold.isHeld()).toBe(true), patience);
      await vi.waitFor(() => expect(transport.watchEndpoint).not.toBe(carrier.endpoint), patience);
      await hold.release();
    } finally {
      await Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]()));
    }
  });
});

describe('a session with a TTL of 5 s', () => {
  it(
    'survives that the member carrying its keep-alive is frozen, three times over',
    { timeout: 4 * guardMs },
    async () => {
      await using client = recorded(cluster.endpoints);
      const session = await client.conclave.withSession({ ttlMs: 5_000 });
      const hold = await session.mutex(randomUUID()).acquire();
      for (let round = 1; round <= 3; round++) {
        const carrier = await vi.waitFor(
          () => {
            expect(client.transport.keepAliveEndpoint).toBeDefined();
            return cluster.endpoints.indexOf(client.transport.keepAliveEndpoint!);
          },
          { timeout: guardMs },
        );
        await lead(carrier);
        const frozenAt = performance.now();
        cluster.stop(carrier);
        try {
          await vi.waitFor(
            () => expect(client.transport.keepAliveEndpoint).not.toBe(cluster.endpoints[carrier]),
            { timeout: guardMs, interval: 10 },
          );
          figure('keep-alive went to another member', performance.now() - frozenAt);
          // Twice renewed there: the lease would have ended in the meantime.
          const { renewals } = client.transport;
          await vi.waitFor(() => expect(client.transport.renewals).toBeGreaterThanOrEqual(renewals + 2), {
            timeout: guardMs,
          });
          await vi.waitFor(() => expect([session.isValid(), hold.isHeld()]).toEqual([true, true]), patience);
        } finally {
          cluster.cont(carrier);
        }
        await cluster.healthy();
      }
      await hold.release();
      await session.close();
    },
  );
});

describe('a watch of the store', () => {
  it(
    'goes on without loss or repetition while the members that carry it are killed and frozen',
    { timeout: 4 * guardMs },
    async () => {
      await using reader = recorded(cluster.endpoints);
      await using writer = await connect({ endpoints: cluster.endpoints });
      const key = randomUUID();
      const { header } = await writer.store.put(key, 'first');
      const abort = new AbortController();
      const seen: bigint[] = [];
      const reading = (async () => {
        for await (const notice of reader.conclave.store.watch(key, {
          startRevision: header.revision,
          signal: abort.signal,
        }))
          if (notice.kind === 'events') for (const { kv } of notice.events) seen.push(kv.modRevision);
      })();
      let isWriting = true;
      const writing = (async () => {
        let unknown = 0;
        while (isWriting) await writer.store.put(key, 'more').catch(() => unknown++);
        return unknown;
      })();

      for (const fault of ['killed', 'frozen', 'killed', 'frozen'] as const) {
        await vi.waitFor(() => expect(reader.transport.watchEndpoint).toBeDefined(), patience);
        const endpoint = reader.transport.watchEndpoint!;
        const carrier = cluster.endpoints.indexOf(endpoint);
        const faultAt = performance.now();
        if (fault === 'killed') await cluster.kill(carrier);
        else cluster.stop(carrier);
        await vi.waitFor(() => expect(reader.transport.watchEndpoint).not.toBe(endpoint), {
          timeout: guardMs,
          interval: 10,
        });
        const before = seen.length;
        await vi.waitFor(() => expect(seen.length).toBeGreaterThan(before), { timeout: guardMs });
        figure(`events again after the member was ${fault}`, performance.now() - faultAt);
        if (fault === 'killed') await cluster.restart(carrier);
        else cluster.cont(carrier);
        await cluster.healthy();
      }

      isWriting = false;
      const unknown = await writing;
      const last = (await writer.store.get(key)).kvs[0]!;
      await vi.waitFor(() => expect(seen.at(-1)).toBe(last.modRevision), { timeout: guardMs });
      abort.abort(new Error('enough'));
      await expect(reading).rejects.toThrow('enough');

      // The history as a new watch tells it.
      const history: bigint[] = [];
      for await (const notice of writer.store.watch(key, { startRevision: header.revision })) {
        if (notice.kind === 'events') for (const { kv } of notice.events) history.push(kv.modRevision);
        if (history.at(-1) === last.modRevision) break;
      }
      expect(BigInt(history.length)).toBe(last.version);
      expect(seen).toEqual(history);
      figure('events seen, writes of unknown outcome', `${seen.length}, ${unknown}`);
    },
  );
});
