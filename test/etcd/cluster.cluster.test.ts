import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { AlreadyExistsError, InvalidRequestError, NotFoundError } from '../../src/base/errors.js';
import type { ClusterMember } from '../../src/store/admin-calls.js';
import { Cluster } from '../rig/cluster.js';
import { Member } from '../rig/member.js';
import { patience } from '../rig/patience.js';
import { freePorts } from '../rig/ports.js';
import { storeOn } from './admin-fixture.js';

const nobody = 42n;
let cluster: Cluster;
let endpoint: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  endpoint = cluster.endpoints[0]!;
}, 30_000);
afterAll(() => cluster.dispose());

describe('a learner', () => {
  it('is added, started, promoted and removed', async () => {
    // Of its own: what goes wrong here may leave a cluster without a quorum.
    await using growing = await Cluster.start();
    const [first] = growing.endpoints;
    await using store = storeOn(growing.endpoints);
    const [client = 0, peer = 0] = await freePorts(2);
    const peerUrl = `http://127.0.0.1:${peer}`;
    const { members: before } = await store.cluster.list();
    expect(before).toMatchObject([{ name: 'm0', clientUrls: [first], isLearner: false }]);

    const added = await store.cluster.add([peerUrl], { isLearner: true });
    expect(added.member).toMatchObject({ name: '', peerUrls: [peerUrl], clientUrls: [], isLearner: true });
    expect(added.members).toHaveLength(2);
    expect(added.header.clusterId).toBeGreaterThan(0n);
    const { id } = added.member;
    await expect(store.cluster.add([peerUrl])).rejects.toThrow(AlreadyExistsError);
    // It has not even started.
    await expect(store.cluster.promote(id)).rejects.toThrow(InvalidRequestError);

    await using learner = started(client, peer, before);
    const find = async (): Promise<ClusterMember | undefined> =>
      (await store.cluster.list()).members.find((member) => member.id === id);
    await vi.waitFor(async () => expect(await find()).toMatchObject({ name: 'learner' }), patience);
    expect(learner.running).toBe(true);

    const synced = await store.cluster.sync();
    expect(synced.endpoints, 'a learner serves nearly nothing').toEqual([first]);

    await vi.waitFor(() => store.cluster.promote(id), patience);
    expect(await find()).toMatchObject({ isLearner: false });
    await expect(store.cluster.promote(id)).rejects.toThrow(InvalidRequestError);
    await vi.waitFor(async () => expect((await store.cluster.sync()).endpoints).toHaveLength(2), patience);
    expect(store.endpoints).toContain(`http://127.0.0.1:${client}`);

    await store.cluster.remove(id);
    expect(await find()).toBeUndefined();
    await store.cluster.sync();
    expect(store.endpoints).toEqual([first]);
    await store.put('after', 'wards');
  }, 60_000);
});

describe('a member', () => {
  // The only one: of two, the other may find nobody where this one is said to be, and be without a quorum. Not a learner:
  // etcd 3.4 lists one that was moved as a voter.
  it('is moved', async () => {
    await using store = storeOn(cluster.endpoints);
    const [elsewhere = 0] = await freePorts(1);
    const [{ id, peerUrls }] = (await store.cluster.list()).members as [ClusterMember];
    const both = [...peerUrls, `http://127.0.0.1:${elsewhere}`];
    expect((await store.cluster.update(id, both)).members).toMatchObject([{ peerUrls: both }]);
    expect((await store.cluster.update(id, peerUrls)).members).toMatchObject([{ peerUrls }]);
  });
});

describe('a member that is not there', () => {
  it('is an error that says so', async () => {
    await using store = storeOn(cluster.endpoints);
    await expect(store.cluster.remove(nobody)).rejects.toThrow(NotFoundError);
    await expect(store.cluster.promote(nobody)).rejects.toThrow(NotFoundError);
    await expect(store.cluster.update(nobody, ['http://127.0.0.1:1'])).rejects.toThrow(NotFoundError);
  });
});

describe('a sync', () => {
  it('takes over what the members advertise, and goes on with calls and watches', async () => {
    await using store = storeOn([endpoint.replace('127.0.0.1', 'localhost')]);
    const watch = store.watch('k');
    await Promise.all([watch.next(), store.put('k', 'before')]);
    const { endpoints, ignored } = await store.cluster.sync();
    expect([endpoints, ignored]).toEqual([[endpoint], []]);
    await store.put('k', 'after');
    expect((await watch.next()).value).toMatchObject({ kind: 'events' });
    await watch.return();
  });

  it('changes nothing when nobody answers where the members say they are', async () => {
    const [port = 0] = await freePorts(1);
    await using elsewhere = await Cluster.start({
      flags: [`--advertise-client-urls=http://127.0.0.1:${port}`],
    });
    await using store = storeOn(elsewhere.endpoints);
    const { endpoints, ignored } = await store.cluster.sync();
    expect(endpoints).toEqual(elsewhere.endpoints);
    expect(ignored).toEqual([{ endpoint: `http://127.0.0.1:${port}`, reason: 'no-answer' }]);
    await store.put('k', 'v');
  }, 30_000);

  it('leaves out the address of another cluster, and what is no address of the kind in use', async () => {
    const [port = 0] = await freePorts(1);
    const tls = `https://127.0.0.1:${port}`;
    await using confused = await Cluster.start({ flags: [`--advertise-client-urls=${endpoint},${tls}`] });
    await using store = storeOn(confused.endpoints);
    const { endpoints, ignored } = await store.cluster.sync();
    expect(endpoints).toEqual(confused.endpoints);
    expect(ignored).toEqual([
      { endpoint, reason: 'other-cluster' },
      { endpoint: tls, reason: 'other-scheme' },
    ]);
  }, 40_000);
});

/** A new member, which joins those there are. */
function started(client: number, peer: number, others: readonly ClusterMember[]): Member & AsyncDisposable {
  const directory = mkdtempSync(join(tmpdir(), 'conclave-learner-'));
  const initial = [
    ...others.map(({ name, peerUrls }) => `${name}=${peerUrls[0]!}`),
    `learner=http://127.0.0.1:${peer}`,
  ];
  const member = new Member('etcd', join(directory, 'learner'), [
    '--name=learner',
    `--listen-client-urls=http://127.0.0.1:${client}`,
    `--advertise-client-urls=http://127.0.0.1:${client}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
    `--initial-cluster=${initial.join(',')}`,
    '--initial-cluster-state=existing',
    '--unsafe-no-fsync',
    '--logger=zap',
    '--log-level=error',
  ]);
  member.start();
  return Object.assign(member, {
    [Symbol.asyncDispose]: async () => {
      await member.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  });
}
