import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import {
  CompactedError,
  FutureRevisionError,
  InvalidRequestError,
  UnavailableError,
} from '../../src/base/errors.js';
import { Cluster } from '../rig/cluster.js';
import { patience } from '../rig/patience.js';
import { storeOn } from './admin-fixture.js';

describe('a cluster of three', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start({ members: 3 });
  }, 30_000);
  afterAll(() => cluster.dispose());

  it('has a status for each member, which agree on who leads', async () => {
    await using store = storeOn(cluster.endpoints);
    const { members } = await store.cluster.list();
    const statuses = await Promise.all(
      cluster.endpoints.map((endpoint) => store.maintenance.status({ endpoint })),
    );
    expect(statuses.map(({ header }) => header.memberId).sort()).toEqual(members.map(({ id }) => id).sort());
    const leaders = new Set(statuses.map(({ leader }) => leader));
    expect(leaders.size).toBe(1);
    expect(statuses.findIndex(({ header, leader }) => header.memberId === leader)).toBe(
      await cluster.leader(),
    );
    for (const status of statuses) {
      expect(status.version).toMatch(/^3\.\d+\.\d+$/);
      expect(status.dbSizeBytes).toBeGreaterThanOrEqual(status.dbSizeInUseBytes);
      expect(status.dbSizeInUseBytes).toBeGreaterThan(0n);
      expect(status.raftTerm).toBeGreaterThan(0n);
      expect(status.raftIndex).toBeGreaterThanOrEqual(status.raftAppliedIndex);
      expect([status.isLearner, status.errors]).toEqual([false, []]);
    }
  });

  it('has the same hash on all members at a revision', async () => {
    await using store = storeOn(cluster.endpoints);
    const { header } = await store.put('k', 'v');
    await vi.waitFor(async () => {
      const hashes = await Promise.all(
        cluster.endpoints.map((endpoint) => store.maintenance.hash({ endpoint, revision: header.revision })),
      );
      expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(1);
      expect(new Set(hashes.map((each) => each.header.memberId)).size).toBe(3);
      expect(hashes[0]?.hash).toBeGreaterThan(0);
    }, patience);
    const other = await store.maintenance.hash({ revision: header.revision - 1n }).catch(() => undefined);
    const same = await store.maintenance.hash({ revision: header.revision });
    expect(other?.hash).not.toBe(same.hash);
  });

  it('has no hash of a revision that is to come, or is gone', async () => {
    await using store = storeOn(cluster.endpoints);
    const { header } = await store.put('k', 'w');
    await expect(store.maintenance.hash({ revision: header.revision + 1_000n })).rejects.toThrow(
      FutureRevisionError,
    );
    await store.compact(header.revision, { physical: true });
    await expect(store.maintenance.hash({ revision: 1n })).rejects.toThrow(CompactedError);
  });

  it('has another leader after moveLeader, wherever calls go to', async () => {
    await using store = storeOn(cluster.endpoints);
    const { leader } = await store.maintenance.status();
    const { members } = await store.cluster.list();
    const target = members.find(({ id }) => id !== leader)!;
    await store.maintenance.moveLeader(target.id);
    const statuses = await Promise.all(
      cluster.endpoints.map((endpoint) => store.maintenance.status({ endpoint })),
    );
    expect(statuses.some((status) => status.leader === target.id)).toBe(true);
    expect(await cluster.leader()).toBe(Number(target.name.slice(1)));
    await store.maintenance.moveLeader(target.id); // it is already
  });

  it('does not make nobody its leader', async () => {
    await using store = storeOn(cluster.endpoints);
    await expect(store.maintenance.moveLeader(42n)).rejects.toThrow(InvalidRequestError);
  });

  it('says so when the leader is at none of the endpoints', async () => {
    const leader = await cluster.leader();
    const others = cluster.endpoints.filter((_, i) => i !== leader);
    await using store = storeOn(others);
    const { leader: id } = await store.maintenance.status();
    const { members } = await store.cluster.list();
    const move = store.maintenance.moveLeader(members.find((member) => member.id !== id)!.id);
    await expect(move).rejects.toThrow(/none of .* is the leader; see cluster.sync/);
    await expect(move).rejects.toBeInstanceOf(UnavailableError);
  });

  it('says what it knows on a member that knows no leader', async () => {
    const leader = await cluster.leader();
    const [alone = 0, ...others] = [0, 1, 2].filter((i) => i !== leader).concat(leader);
    for (const other of others) cluster.stop(other);
    try {
      await using store = storeOn([cluster.endpoints[alone]!]);
      await vi.waitFor(
        async () => expect(await store.maintenance.status()).toMatchObject({ leader: 0n }),
        patience,
      );
      const { members } = await store.cluster.list({ linearizable: false });
      expect(members).toHaveLength(3);
    } finally {
      for (const other of others) cluster.cont(other);
    }
  }, 40_000);
});

describe('a store that is full', () => {
  it('raises an alarm, which is listed, and disarmed once there is space again', async () => {
    await using cluster = await Cluster.start({ flags: ['--quota-backend-bytes=300000'] });
    await using store = storeOn(cluster.endpoints);
    const [endpoint = ''] = cluster.endpoints;
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await store.put('big', randomBytes(50_000));
    };
    await expect(fill()).rejects.toThrow(/space/);
    const { alarms } = await store.maintenance.alarms();
    const { header, errors } = await store.maintenance.status();
    expect(alarms).toEqual([{ memberId: header.memberId, type: 'nospace' }]);
    expect(errors.join()).toContain('NOSPACE');

    const { header: removed } = await store.remove('big');
    await store.compact(removed.revision, { physical: true });
    const before = await store.maintenance.status();
    await store.maintenance.defragment({ endpoint });
    expect((await store.maintenance.status()).dbSizeBytes).toBeLessThan(before.dbSizeBytes);
    await expect(store.put('small', '')).rejects.toThrow(/space/);
    for (const alarm of alarms) await store.maintenance.disarm(alarm);
    expect(await store.maintenance.alarms()).toMatchObject({ alarms: [] });
    await store.put('small', '');
    await store.maintenance.disarm(alarms[0]!); // it is no longer raised
  }, 60_000);
});
