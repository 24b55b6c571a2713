import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type Conclave, connect } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { type EtcdVersion, skipWithout } from '../rig/etcd-version.js';
import { patience } from '../rig/patience.js';

const path: readonly EtcdVersion[] = ['installed', '3.5'];
for (const version of path) beforeEach(skipWithout(version));

let cluster: Cluster;
let holder: Conclave;
let other: Conclave;

beforeAll(async () => {
  cluster = await Cluster.start({ members: 3 });
  const options = { endpoints: cluster.endpoints, sessionTtlMs: 15_000 };
  [holder, other] = await Promise.all([connect(options), connect(options)]);
});
afterAll(async () => {
  await holder.close();
  await other.close();
  await cluster.dispose();
});

it('who holds, who waits and a queue go on while etcd is upgraded member by member, from 3.4 to 3.5', async () => {
  const hold = await holder.mutex('m').acquire();
  let isIn = false;
  const waiting = other.mutex('m').acquire();
  waiting.then(
    () => (isIn = true),
    () => {}, // awaited in the end
  );
  await vi.waitFor(async () => expect((await holder.mutex('m').inspect()).waiters).toHaveLength(1), patience);
  const stop = new AbortController();
  const done: unknown[] = [];
  const working = other.queue('q').work(({ value }) => void done.push(value), { signal: stop.signal });

  working.catch(() => {}); // awaited in the end

  const put: string[] = [];
  for (const version of path.slice(1)) {
    for (const member of [0, 1, 2]) {
      await cluster.upgrade(member, version);
      put.push(`${version}, member ${member}`);
      // By an id, so that a call whose answer is lost may be made again.
      await vi.waitFor(() => holder.queue('q').enqueue(put.at(-1), { id: put.length.toString() }), patience);
      // In doubt for a moment, if another member leads now.
      await vi.waitFor(() => expect(hold.isHeld()).toBe(true), patience);
      expect(isIn).toBe(false);
    }
    // Before the members agree on that, the next version refuses to start.
    for (const member of cluster.endpoints)
      await vi.waitFor(async () => expect(await agreedIn(member)).toBe(`${version}.0`), patience);
  }

  await vi.waitFor(() => expect(done).toEqual(put), patience);
  for (const member of cluster.endpoints) expect(await versionOf(member)).toMatch(/^3\.5\./);
  await hold.release();
  expect((await waiting).fencingToken).toBeGreaterThan(hold.fencingToken);
  stop.abort();
  await working;
});

/** What all members support, as far as this one has heard. */
async function agreedIn(member: string): Promise<string> {
  const answer = await fetch(`${member}/version`);
  const { etcdcluster } = (await answer.json()) as { readonly etcdcluster: string };
  return etcdcluster;
}

async function versionOf(member: string): Promise<string | undefined> {
  const output = await cluster.etcdctl('endpoint', 'status', '--write-out=json', `--endpoints=${member}`);
  const [first] = JSON.parse(output) as { readonly Status: { readonly version: string } }[];
  return first?.Status.version;
}
