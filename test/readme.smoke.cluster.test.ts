import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from './project/program.js';
import { documentedSnippets, runSnippet } from './project/snippet-runner.js';
import { intentOf } from './project/snippets.js';

let endpoint: string;
let stop: () => Promise<void>;

beforeAll(async () => {
  ({ endpoint, stop } = await startEtcd());
});

afterAll(() => stop());

it('the snippets of the documents that need an etcd run on one', { timeout: 120_000 }, async () => {
  const failures: unknown[] = [];
  for (const snippet of documentedSnippets().filter((each) => intentOf(each) === 'run on etcd'))
    await runSnippet(snippet, endpoint).catch((error: unknown) => failures.push(error));
  expect(failures).toEqual([]);
});

async function startEtcd(): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'conclave-readme-'));
  const [client, peer] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const server = spawn('etcd', etcdFlags(folder, client, peer), { stdio: 'ignore' });
  const exited = once(server, 'exit');
  await run('etcdctl', ['--endpoints', client, '--dial-timeout=20s', 'endpoint', 'health'], {
    cwd: folder,
    env: { ETCDCTL_API: '3' },
  });
  const end = async (): Promise<void> => {
    server.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  return { endpoint: client, stop: end };
}

function etcdFlags(folder: string, client: string, peer: string): string[] {
  return [
    `--data-dir=${folder}`,
    `--listen-client-urls=http://${client}`,
    `--advertise-client-urls=http://${client}`,
    `--listen-peer-urls=http://${peer}`,
    `--initial-advertise-peer-urls=http://${peer}`,
    `--initial-cluster=default=http://${peer}`,
    '--log-level=error',
  ];
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
