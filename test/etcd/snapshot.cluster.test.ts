import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { AlreadyExistsError, AuthError, ClosedError, UnavailableError } from '../../src/base/errors.js';
import type { SnapshotProgress } from '../../src/store/snapshot.js';
import { Cluster } from '../rig/cluster.js';
import { Member } from '../rig/member.js';
import { patience } from '../rig/patience.js';
import { freePorts } from '../rig/ports.js';
import { Proxy } from '../rig/proxy.js';
import { storeOn } from './admin-fixture.js';

const run = promisify(execFile);
const valueBytes = 1_000_000;
const values = 20;
let cluster: Cluster;
let directory: string;
let path: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  await using store = storeOn(cluster.endpoints);
  for (let i = 0; i < values; i++) await store.put(`k${i}`, randomBytes(valueBytes));
}, 30_000);
afterAll(() => cluster.dispose());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conclave-snapshot-'));
  path = join(directory, 'backup.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const files = (): string[] => readdirSync(directory);

describe('a snapshot', () => {
  it('is a file that etcd restores a cluster from', async () => {
    await using store = storeOn(cluster.endpoints);
    const before = await store.get('k7');
    const progress: SnapshotProgress[] = [];
    const saved = await store.maintenance.snapshot(path, { onProgress: (each) => progress.push(each) });
    expect(saved).toEqual({ endpoint: cluster.endpoints[0], sizeBytes: statSync(path).size });
    expect(saved.sizeBytes).toBeGreaterThan(values * valueBytes);
    expect(files()).toEqual(['backup.db']);
    expect(statSync(path).mode & 0o777).toBe(0o600);

    const received = progress.map(({ receivedBytes }) => receivedBytes);
    expect(received).toEqual([...received].sort((a, b) => a - b));
    expect(progress.at(-1)).toEqual({ receivedBytes: saved.sizeBytes, totalBytes: saved.sizeBytes });
    expect(progress[0]?.totalBytes).toBe(saved.sizeBytes - 32);

    const env = { ...process.env, ETCDCTL_API: '3' };
    await run('etcdctl', ['snapshot', 'status', path], { env });
    // Its restore writes what servers of its own line read.
    const [, line = ''] =
      /version: (\d+\.\d+\.)/.exec((await run('etcdctl', ['version'], { env })).stdout) ?? [];
    if (!(await store.maintenance.status()).version.startsWith(line)) return;
    await using restored = await restore(path);
    await using other = storeOn([restored.endpoint]);
    await vi.waitFor(async () => expect((await other.get('k7')).kvs).toEqual(before.kvs), patience);
  }, 40_000);

  it('does not overwrite a file, unless it is told to', async () => {
    await using store = storeOn(cluster.endpoints);
    writeFileSync(path, 'precious');
    await expect(store.maintenance.snapshot(path)).rejects.toThrow(AlreadyExistsError);
    expect([files(), readFileSync(path, 'utf8')]).toEqual([['backup.db'], 'precious']);
    await store.maintenance.snapshot(path, { overwrite: true });
    expect(statSync(path).size).toBeGreaterThan(valueBytes);
    expect(files()).toEqual(['backup.db']);
  });

  it('does not overwrite a file that has come meanwhile', async () => {
    await using store = storeOn(cluster.endpoints);
    const onProgress = (): void => writeFileSync(path, 'precious');
    await expect(store.maintenance.snapshot(path, { onProgress })).rejects.toThrow(AlreadyExistsError);
    expect([files(), readFileSync(path, 'utf8')]).toEqual([['backup.db'], 'precious']);
  });

  it('that is cancelled leaves nothing behind', async () => {
    await using store = storeOn(cluster.endpoints);
    const stop = new AbortController();
    const seen: string[][] = [];
    const onProgress = (): void => {
      seen.push(files());
      stop.abort(new Error('enough'));
    };
    await expect(store.maintenance.snapshot(path, { signal: stop.signal, onProgress })).rejects.toThrow(
      'enough',
    );
    expect(seen).toEqual([[expect.stringMatching(/^backup\.db\.[0-9a-f]+\.part$/)]]);
    expect(files()).toEqual([]);
    await store.put('k', 'v'); // the connection is as good as before
  });

  it('whose reader throws leaves nothing behind', async () => {
    await using store = storeOn(cluster.endpoints);
    const onProgress = (): void => {
      throw new Error('disk of the reader is full');
    };
    await expect(store.maintenance.snapshot(path, { onProgress })).rejects.toThrow(
      'disk of the reader is full',
    );
    expect(files()).toEqual([]);
  });

  it('that is cut off by the network leaves nothing behind, and goes to the next member', async () => {
    await using proxy = await Proxy.start(cluster.endpoints[0]!);
    await using store = storeOn([proxy.endpoint]);
    let pieces = 0;
    const cut = store.maintenance.snapshot(path, {
      onProgress: () => {
        if (pieces++ === 0) void proxy.set('refuse');
      },
    });
    await expect(cut).rejects.toThrow(UnavailableError);
    expect(pieces).toBeGreaterThan(0);
    expect(files()).toEqual([]);

    await using both = storeOn([proxy.endpoint, cluster.endpoints[0]!]);
    const { endpoint } = await both.maintenance.snapshot(path);
    expect(endpoint).toBe(cluster.endpoints[0]);
  }, 40_000);

  it('ends with the store', async () => {
    const store = storeOn(cluster.endpoints);
    const onProgress = (): void => void store.close();
    await expect(store.maintenance.snapshot(path, { onProgress })).rejects.toThrow(ClosedError);
    expect(files()).toEqual([]);
  });

  it('needs a directory to stand in', async () => {
    await using store = storeOn(cluster.endpoints);
    await expect(store.maintenance.snapshot(join(directory, 'none', 'x.db'))).rejects.toThrow('ENOENT');
  });
});

describe('with authentication', () => {
  it('only root may take one', async () => {
    await using guarded = await Cluster.start({ rootPassword: 'secret' });
    await guarded.etcdctl('user', 'add', 'alice:pw');
    await using alice = storeOn(guarded.endpoints, { username: 'alice', password: 'pw' });
    await expect(alice.maintenance.snapshot(path)).rejects.toThrow(AuthError);
    expect(files()).toEqual([]);
    await using root = storeOn(guarded.endpoints, { username: 'root', password: 'secret' });
    await root.maintenance.snapshot(path);
    expect(files()).toEqual(['backup.db']);
  }, 40_000);
});

/** A cluster of one that begins with what is in the file. */
async function restore(file: string): Promise<{ readonly endpoint: string } & AsyncDisposable> {
  const [client = 0, peer = 0] = await freePorts(2);
  const endpoint = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const data = join(directory, 'restored');
  const same = ['--name=m', `--initial-cluster=m=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`];
  // Until 3.5 this was etcdctl's, since 3.6 it is etcdutl's alone; here it is of the installed release.
  await run('etcdctl', ['snapshot', 'restore', file, `--data-dir=${data}`, ...same], {
    env: { ...process.env, ETCDCTL_API: '3' },
  });
  const member = new Member('etcd', data, [
    ...same,
    `--listen-client-urls=${endpoint}`,
    `--advertise-client-urls=${endpoint}`,
    `--listen-peer-urls=${peerUrl}`,
    '--unsafe-no-fsync',
    '--logger=zap',
    '--log-level=error',
  ]);
  member.start();
  return { endpoint, [Symbol.asyncDispose]: () => member.kill() };
}
