import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import type { Hold } from '../../src/session/hold.js';
import { Cluster } from '../rig/cluster.js';
import { Proxy } from '../rig/proxy.js';
import { patience } from '../rig/patience.js';
import { aborted, figure, guardMs, outcome, recorded, type Recorded, untilWaiting } from './fixture.js';

describe('on three members, a waiter keeps its place in line', () => {
  let cluster: Cluster;
  let holding: Conclave;
  let waiting: Recorded[];
  let name: string;

  beforeAll(async () => {
    cluster = await Cluster.start({ members: 3 });
    const options = { sessionTtlMs: 30_000 };
    holding = await connect({ endpoints: cluster.endpoints, ...options });
    // Each prefers another member.
    waiting = [0, 1, 2, 0].map((i) =>
      recorded([...cluster.endpoints.slice(i), ...cluster.endpoints.slice(0, i)], options),
    );
  });

  afterAll(async () => {
    for (const client of waiting) await client.conclave.close();
    await holding.close();
    await cluster.dispose();
  });

  /** Who stands in line when `fault` happens is served in the order of the tickets. */
  async function expectOrderKept(fault: () => Promise<void>): Promise<void> {
    name = randomUUID();
    const hold = await holding.mutex(name).acquire();
    const granted: string[] = [];
    const served: Promise<void>[] = [];
    for (const [i, { conclave }] of waiting.entries()) {
      served.push(
        conclave.mutex(name).run(async (turn: Hold) => void granted.push(turn.key), { timeoutMs: guardMs }),
      );
      await untilWaiting(holding.mutex(name), i + 1);
    }
    const { waiters } = await holding.mutex(name).inspect();
    await fault();
    expect(granted).toEqual([]);
    await vi.waitFor(() => expect(hold.isHeld()).toBe(true), patience);
    const releasedAt = performance.now();
    await hold.release();
    await Promise.all(served);
    figure('four waiters served in', performance.now() - releasedAt);
    expect(granted).toEqual(waiters.map(({ key }) => key));
  }

  it('when the leader is killed, and comes back', { timeout: 3 * guardMs }, async () => {
    await expectOrderKept(async () => {
      const leader = await cluster.leader();
      await cluster.kill(leader);
      await cluster.leader();
      await cluster.restart(leader);
    });
  });

  it(
    'when a follower is killed, and stays away while the lock is handed on',
    { timeout: 3 * guardMs },
    async () => {
      const leader = await cluster.leader();
      const follower = (leader + 1) % 3;
      await expectOrderKept(() => cluster.kill(follower));
      await cluster.restart(follower);
    },
  );

  it('when a member is stopped while the lock is handed on', { timeout: 3 * guardMs }, async () => {
    const leader = await cluster.leader();
    const follower = (leader + 2) % 3;
    try {
      await expectOrderKept(async () => cluster.stop(follower));
    } finally {
      cluster.cont(follower);
    }
    await cluster.healthy();
  });

  it('when all members are killed and started again', { timeout: 3 * guardMs }, async () => {
    await expectOrderKept(() => cluster.restartAll());
  });
});

/** The ticket may stand before its owner watches: until then nothing can be missed. Its session watches, too. */
async function untilWatching({ transport }: Recorded): Promise<void> {
  await vi.waitFor(() => expect(transport.watchesCreated).toBeGreaterThanOrEqual(2), { timeout: guardMs });
}

describe('a waiter that could not see the release', () => {
  it(
    'since its watch was cut off, and what it missed is compacted away, is granted all the same',
    { timeout: 2 * guardMs },
    async () => {
      await using cluster = await Cluster.start();
      await using proxy = await Proxy.start(cluster.endpoints[0]!);
      await using holder = await connect({ endpoints: cluster.endpoints });
      await using waiter = recorded([proxy.endpoint], { sessionTtlMs: 60_000 });
      const name = randomUUID();
      const hold = await holder.mutex(name).acquire();
      const next = waiter.conclave.mutex(name).acquire();
      await untilWaiting(holder.mutex(name), 1);
      await untilWatching(waiter);

      await proxy.set('refuse');
      await hold.release();
      const { header } = await holder.store.put('other', '');
      await holder.store.compact(header.revision, { physical: true });
      await proxy.set('pass');

      await using granted = await next;
      expect(granted.isHeld()).toBe(true);
      expect(waiter.transport.compactedWatches).toBeGreaterThan(0);
    },
  );

  it(
    'since the member that carried its watch was killed before a compaction',
    { timeout: 3 * guardMs },
    async () => {
      await using cluster = await Cluster.start({ members: 3 });
      await using one = await Proxy.start(cluster.endpoints[0]!);
      await using another = await Proxy.start(cluster.endpoints[1]!);
      await using third = await Proxy.start(cluster.endpoints[2]!);
      const proxies = [one, another, third];
      await using holder = await connect({ endpoints: cluster.endpoints, sessionTtlMs: 60_000 });
      const ways = proxies.map(({ endpoint }) => endpoint);
      await using waiter = recorded(ways, { sessionTtlMs: 60_000 });
      const name = randomUUID();
      const hold = await holder.mutex(name).acquire();
      const next = waiter.conclave.mutex(name).acquire();
      await untilWaiting(holder.mutex(name), 1);
      await untilWatching(waiter);

      const carrier = ways.indexOf(waiter.transport.watchEndpoint!);
      const others = cluster.endpoints.filter((_, i) => i !== carrier);
      // Nothing gets out of it any more, the other two go on, and the watch cannot move to them before the compaction.
      for (const [i, proxy] of proxies.entries()) if (i !== carrier) await proxy.set('refuse');
      cluster.stop(carrier);
      await hold.release();
      await using writer = await connect({ endpoints: others });
      const { header } = await writer.store.put('other', '');
      await writer.store.compact(header.revision, { physical: true });
      await cluster.kill(carrier);
      for (const proxy of proxies) await proxy.set('pass');

      await using granted = await next;
      expect(granted.isHeld()).toBe(true);
      expect(waiter.transport.watchEndpoint).not.toBe(ways[carrier]);
      expect(waiter.transport.compactedWatches).toBeGreaterThan(0);
    },
  );
});

describe('while etcd is away for longer than the TTL', () => {
  it.each(['stopped', 'killed'] as const)(
    '(%s) a holder loses its hold, a waiter rejects, and later calls work with a new session',
    { timeout: 2 * guardMs },
    async (how) => {
      await using cluster = await Cluster.start();
      const options = { endpoints: cluster.endpoints, sessionTtlMs: 3_000, dialTimeoutMs: 2_000 };
      await using holder = await connect(options);
      await using waiter = await connect(options);
      const name = randomUUID();
      const hold = await holder.mutex(name).acquire();
      const waiting = outcome(waiter.mutex(name).acquire());
      await untilWaiting(holder.mutex(name), 1);

      const awayAt = performance.now();
      if (how === 'stopped') cluster.stop(0);
      else await cluster.kill(0);

      await aborted(hold.signal);
      figure(`hold given up after etcd was ${how}, TTL 3000 ms`, performance.now() - awayAt);
      expect(hold.isHeld()).toBe(false);
      expect(hold.signal.reason).toMatchObject({ code: 'HOLD_LOST', cause: { code: 'SESSION_LOST' } });
      expect((await waiting).error).toMatchObject({ code: 'SESSION_LOST' });
      // What does not wait for the store says so.
      const triedAt = performance.now();
      await expect(waiter.mutex(name).tryAcquire()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      figure('tryAcquire refused with a dial timeout of 2000 ms', performance.now() - triedAt);

      // A wait rides it out.
      const patient = waiter.mutex(name).acquire({ timeoutMs: guardMs });
      if (how === 'stopped') cluster.cont(0);
      else await cluster.restart(0);
      const next = await patient;
      expect(next.isHeld()).toBe(true);
      expect(next.fencingToken).toBeGreaterThan(hold.fencingToken);
      await next.release();
      await holder.mutex(name).run(async (again) => expect(again.isHeld()).toBe(true));
      await expect(hold.release()).rejects.toMatchObject({ code: 'HOLD_LOST' });
    },
  );
});
