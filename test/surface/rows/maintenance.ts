import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { UnsupportedError } from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function maintenanceRow(surface: Surface, isEtcd: boolean): void {
  if (!isEtcd) {
    it('is not supported by the embedded engine, which says so', async () => {
      const { maintenance } = surface.store;
      for (const call of [() => maintenance.status(), () => maintenance.alarms(), () => maintenance.hash()])
        await expect(call()).rejects.toBeInstanceOf(UnsupportedError);
    });
    return;
  }

  it('tells the status of a member', async () => {
    const { memberId, raftTerm } = await surface.backend.identity();
    const status = await surface.store.maintenance.status();
    expect(status).toMatchObject({ leader: memberId, raftTerm, isLearner: false });
    expect(status.version).toMatch(/^3\.\d+\.\d+$/);
    expect(status.dbSizeBytes).toBeGreaterThan(0n);
  });

  it('lists alarms, and disarms one', async () => {
    const { memberId } = await surface.backend.identity();
    expect((await surface.store.maintenance.alarms()).alarms).toEqual([]);
    await surface.store.maintenance.disarm({ memberId, type: 'nospace' });
    expect((await surface.store.maintenance.alarms()).alarms).toEqual([]);
  });

  it('defragments, and what is stored stays', async () => {
    await surface.putAll({ a: '1' });
    const before = await surface.store.maintenance.hash();
    await surface.store.maintenance.defragment();
    expect(await surface.store.maintenance.hash()).toMatchObject({ hash: before.hash });
    expect(surface.pairs(await surface.store.get(surface.all))).toEqual(['a=1']);
  });

  it('tells a hash of the store, which changes with it', async () => {
    const first = await surface.store.maintenance.hash();
    await surface.putAll({ a: '1' });
    expect((await surface.store.maintenance.hash()).hash).not.toBe(first.hash);
  });

  it('saves a snapshot to a file, and tells its progress', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'conclave-surface-'));
    try {
      const path = join(folder, 'snapshot.db');
      const received: number[] = [];
      await surface.store.maintenance.snapshot(path, {
        onProgress: ({ receivedBytes }) => received.push(receivedBytes),
      });
      expect(received.at(-1)).toBe(statSync(path).size);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('moves the leadership, not to nobody', async () => {
    await expect(surface.store.maintenance.moveLeader(12_345n)).rejects.toMatchObject({
      name: 'InvalidRequestError',
    });
    const { memberId } = await surface.backend.identity();
    await surface.store.maintenance.moveLeader(memberId); // there it is already
  });
}
