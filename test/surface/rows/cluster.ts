import { expect, it } from 'vitest';

import { UnsupportedError } from '../../../src/index.js';
import { freePorts } from '../../rig/ports.js';
import type { Surface } from '../surface.js';

export function clusterRow(surface: Surface, isEtcd: boolean): void {
  if (!isEtcd) {
    it('is not supported by the embedded engine, which says so', async () => {
      const { cluster } = surface.store;
      for (const call of [() => cluster.list(), () => cluster.sync(), () => cluster.remove(1n)])
        await expect(call()).rejects.toBeInstanceOf(UnsupportedError);
    });
    return;
  }

  it('lists the members', async () => {
    const { memberId } = await surface.backend.identity();
    const { members } = await surface.store.cluster.list();
    expect(members).toMatchObject([
      { id: memberId, clientUrls: surface.backend.endpoints, isLearner: false },
    ]);
  });

  it('adds a learner, updates where it is, does not promote it before it has caught up, removes it', async () => {
    const { cluster } = surface.store;
    const [one, other] = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`);
    const { member, members } = await cluster.add([one!], { isLearner: true });
    expect(member).toMatchObject({ peerUrls: [one], isLearner: true });
    expect(members).toHaveLength(2);
    const updated = await cluster.update(member.id, [other!]);
    expect(updated.members.find(({ id }) => id === member.id)?.peerUrls).toEqual([other]);
    await expect(cluster.promote(member.id)).rejects.toThrow(/learner/);
    expect((await cluster.remove(member.id)).members).toHaveLength(1);
    await expect(cluster.remove(member.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('refreshes the endpoints from the member list', async () => {
    await using client = await surface.connect();
    await client.store.cluster.sync();
    expect(client.store.endpoints).toEqual(surface.backend.endpoints);
    await client.store.put(surface.at('k'), 'v');
  });
}
