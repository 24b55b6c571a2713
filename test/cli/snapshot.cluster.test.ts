import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';

import { Cluster } from '../rig/cluster.js';
import { conclave, type Ended } from './conclave-program.js';

let cluster: Cluster;
let directory: string;
let file: string;
beforeAll(async () => {
  cluster = await Cluster.start();
});
afterAll(() => cluster.dispose());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'conclave-cli-snapshot-'));
  file = join(directory, 'backup.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function snapshot(...args: string[]): Promise<Ended> {
  return conclave(['snapshot', ...args, '--endpoints', cluster.endpoints.join(',')]);
}

it('save writes a snapshot, and says how large it is', async () => {
  const { status, stdout, stderr } = await snapshot('save', file);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toBe(
    `${file}: ${statSync(file).size} bytes from ${cluster.endpoints[0]!}, checksum right\n`,
  );
  expect(readdirSync(directory)).toEqual(['backup.db']);
});

it('save does not overwrite a file, unless it is forced; with --json it prints one object', async () => {
  writeFileSync(file, 'precious');
  const refused = await snapshot('save', file);
  expect(refused).toMatchObject({ status: 73, stdout: '' });
  expect(refused.stderr).toContain('--force replaces it');
  expect(readFileSync(file, 'utf8')).toBe('precious');
  const { stdout } = await snapshot('save', file, '--force', '--json');
  const { size } = statSync(file);
  expect(size).toBeGreaterThan(1_000);
  expect(JSON.parse(stdout)).toEqual({ path: file, endpoint: cluster.endpoints[0], sizeBytes: size });
});

it('save tells what the file system says', async () => {
  const { status, stderr } = await snapshot('save', join(directory, 'none', 'x.db'));
  expect([status, stderr]).toEqual([73, expect.stringContaining('ENOENT')]);
});

it('save wants a file, and etcd', async () => {
  expect((await snapshot('save')).status).toBe(64);
  expect((await snapshot('restore', file)).status).toBe(64);
  expect((await snapshot('save', file, 'more')).status).toBe(64);
  const { status } = await conclave(['snapshot', 'save', file, '--endpoints', 'http://127.0.0.1:9']);
  expect([status, readdirSync(directory)]).toEqual([69, []]);
}, 40_000);
