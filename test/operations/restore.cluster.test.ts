import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pathOf } from '../../scripts/etcd-versions.js';
import { type Conclave, connect, type Hold } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { lacks, programOf } from '../rig/etcd-version.js';
import { Member } from '../rig/member.js';
import { freePorts } from '../rig/ports.js';

const folder = mkdtempSync(join(tmpdir(), 'conclave-restore-'));
const snapshot = join(folder, 'snapshot.db');
const sessionTtlMs = 2_000;
/** The lock was held when the snapshot was saved. */
let hold: Hold;
/** The largest token that was given after that. */
let latestToken: bigint;

beforeAll(async () => {
  await using cluster = await Cluster.start();
  await using conclave = await connect({ endpoints: cluster.endpoints, sessionTtlMs });
  hold = await conclave.mutex('m').acquire();
  await cluster.etcdctl('snapshot', 'save', snapshot);
  await hold.release();
  for (let i = 0; i < 20; i++)
    latestToken = await conclave.mutex('m').run(({ fencingToken }) => fencingToken);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An etcd that was restored from the snapshot, for as long as `work` takes. */
async function restored(
  { version, flags }: { version: 'installed' | '3.5'; flags: readonly string[] },
  work: (conclave: Conclave) => Promise<void>,
): Promise<void> {
  const data = join(folder, version, 'member');
  const [client, peer] = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`) as [string, string];
  const identity = ['--name=m', `--initial-cluster=m=${peer}`, `--initial-advertise-peer-urls=${peer}`];
  const restore = ['snapshot', 'restore', snapshot, `--data-dir=${data}`, ...identity, ...flags];
  const etcdctl = version === 'installed' ? 'etcdctl' : pathOf(version, 'etcdctl');
  await promisify(execFile)(etcdctl, restore, { env: { ...process.env, ETCDCTL_API: '3' } });
  const listen = [`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`];
  const flagsOfPeer = [`--listen-peer-urls=${peer}`, '--unsafe-no-fsync'];
  const member = new Member(programOf(version), data, [...identity, ...listen, ...flagsOfPeer]);
  member.start();
  try {
    await using conclave = await connect({ endpoints: [client], sessionTtlMs, dialTimeoutMs: 20_000 });
    await work(conclave);
  } finally {
    await member.kill();
  }
}

it('after a restore what was released is held again until its lease ends, and tokens begin below those given since', async () => {
  await restored({ version: 'installed', flags: [] }, async (conclave) => {
    expect((await conclave.mutex('m').inspect()).holder).toMatchObject({ key: hold.key });
    const next = await conclave.mutex('m').acquire({ timeoutMs: 30_000 });
    expect(next.fencingToken).toBeGreaterThan(hold.fencingToken);
    expect(next.fencingToken).toBeLessThan(latestToken);
    await next.release();
  });
});

it('after a restore with --bump-revision tokens go on above all that were given before', async (context) => {
  const reason = lacks('3.5');
  if (reason !== undefined) context.skip(reason);
  const flags = ['--bump-revision=1000000000', '--mark-compacted'];
  await restored({ version: '3.5', flags }, async (conclave) => {
    const next = await conclave.mutex('m').acquire({ timeoutMs: 30_000 });
    expect(next.fencingToken).toBeGreaterThan(latestToken);
    await next.release();
    await conclave.queue('q').enqueue('x');
    await (await conclave.queue('q').receive()).ack();
  });
});
