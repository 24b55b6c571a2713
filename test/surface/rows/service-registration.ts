import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import type { Group, GroupChange } from '../../../src/index.js';
import { root } from '../../project/program.js';
import type { Surface } from '../surface.js';

export function serviceRegistrationRow(surface: Surface, isEtcd: boolean): void {
  const found = async (group: Group): Promise<string[]> =>
    (await group.members()).members.map(({ id, value }) => `${id}=${value}`);
  /** The first change that is one of these. */
  const change = async (group: Group, wanted: (change: GroupChange) => boolean): Promise<GroupChange> => {
    for await (const each of group.watch()) if (wanted(each)) return each;
    throw new Error('the watch has ended');
  };

  it('registers an instance under a lease that is renewed, to be found by others until it leaves', async () => {
    await using client = await surface.connect();
    const group = client.group('registered');
    const member = await group.join('10.0.0.1:8080', { id: 'a' });
    const other = surface.conclave.group('registered');
    expect(await found(other)).toEqual(['a=10.0.0.1:8080']);
    const { kvs } = await surface.store.get((await other.members()).members[0]!.key);
    expect(kvs.map(({ lease }) => lease > 0n)).toEqual([true]);
    await member.leave();
    expect(await found(other)).toEqual([]);
  });

  it('tells who comes and who goes', async () => {
    await using client = await surface.connect();
    const group = client.group('watched');
    const changes = surface.conclave.group('watched').watch();
    const next = async (): Promise<GroupChange> => (await changes.next()).value as GroupChange;
    expect(await next()).toMatchObject({ joined: [], left: [] });
    const member = await group.join('10.0.0.1:8080', { id: 'a' });
    expect(await next()).toMatchObject({ joined: [{ id: 'a', value: '10.0.0.1:8080' }], left: [] });
    await member.leave();
    expect(await next()).toMatchObject({ joined: [], left: [{ id: 'a' }], members: [] });
    await changes.return();
  });

  it('registers again by itself when the lease is lost', async () => {
    await using client = await surface.connect();
    const member = await client.group('again').join('10.0.0.1:8080', { id: 'a' });
    const group = surface.conclave.group('again');
    const [first] = (await group.members()).members;
    const { kvs } = await surface.store.get(first!.key);
    await surface.store.lease.revoke(kvs[0]!.lease);
    const { members } = await change(
      group,
      ({ members: [now] }) => now !== undefined && now.key !== first!.key,
    );
    expect(members).toMatchObject([{ id: 'a', value: '10.0.0.1:8080' }]);
    expect(members[0]!.fencingToken).toBeGreaterThan(first!.fencingToken);
    await member.leave();
  });

  if (!isEtcd) return; // nobody else can see an engine that is in this process

  it('lets an instance vanish with its lease when its process is killed', async () => {
    const env = {
      ...process.env,
      CONCLAVE_ENDPOINTS: surface.backend.endpoints.join(','),
      INSTANCE: '10.0.0.2:8080',
    };
    const instance = spawn(process.execPath, [join(root, 'examples/client/register.js')], {
      env,
      stdio: 'ignore',
    });
    const group = surface.conclave.group('service');
    try {
      const { members } = await change(group, ({ joined }) => joined.length > 0);
      expect(members).toMatchObject([{ id: 'other', value: '10.0.0.2:8080' }]);
    } finally {
      instance.kill('SIGKILL');
    }
    await change(group, (now) => now.members.length === 0);
  });
}
