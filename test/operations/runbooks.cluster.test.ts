import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Conclave, connect, isConclaveError } from '../../src/index.js';
import { programFolder, run } from '../project/program.js';
import { conclave as program } from '../cli/conclave-program.js';
import { outcome } from '../lock/observe.js';
import { Cluster } from '../rig/cluster.js';
import { patience } from '../rig/patience.js';
import { documentedSnippet } from './document.js';

/** Those that docs/operations.md recommends. */
const flags = documentedSnippet('flags')
  .code.split(/\s+/)
  .filter((word) => word.startsWith('--'));
let cluster: Cluster;
let conclave: Conclave;

beforeAll(async () => {
  cluster = await Cluster.start({ flags });
  conclave = await connect({ endpoints: cluster.endpoints, sessionTtlMs: 5_000 });
});
afterAll(async () => {
  await conclave.close();
  await cluster.dispose();
});

it('etcd starts with the flags that are recommended, and serves', async () => {
  expect(flags).toHaveLength(3);
  await conclave.mutex('m').run((hold) => expect(hold.isHeld()).toBe(true));
});

it('the doctor finds no problem with an etcd that was set up like that', async () => {
  const { status, stdout } = await program(['doctor', '--ttl', '15s'], {
    CONCLAVE_ENDPOINTS: cluster.endpoints.join(','),
  });
  expect({ status, problems: stdout.match(/^problem.*/gm) }).toEqual({ status: 0, problems: null });
});

it('who holds, who waits and a queue go on while etcd is compacted and defragmented', async () => {
  const other = await connect({ endpoints: cluster.endpoints, sessionTtlMs: 5_000 });
  try {
    const hold = await conclave.mutex('busy').acquire();
    const waiting = other.mutex('busy').acquire();
    const receiving = other.queue('q').receive();
    await vi.waitFor(
      async () => expect((await conclave.mutex('busy').inspect()).waiters).toHaveLength(1),
      patience,
    );
    await vi.waitFor(async () => expect((await conclave.queue('q').inspect()).workers).toBe(1), patience);

    const { header } = await conclave.store.get('any');
    await cluster.etcdctl('compact', String(header.revision));
    await cluster.etcdctl('defrag');

    expect(hold.isHeld()).toBe(true);
    await hold.release();
    await (await waiting).release();
    await conclave.queue('q').enqueue('x');
    await (await receiving).ack();
  } finally {
    await other.close();
  }
});

it('a request that is too large for etcd is refused as such, and nothing is done', async () => {
  const put = outcome(conclave.store.put('large', 'x'.repeat(1.5 * 1024 * 1024)));
  expect(await put).toMatchObject({ code: 'INVALID_REQUEST' });
  expect((await conclave.store.get('large')).kvs).toEqual([]);
  await conclave.store.put('large', 'x'.repeat(1_500_000));
});

it('an etcd that is over its quota serves again after the commands of docs/operations.md, and the hold from before still stands', async () => {
  await using full = await Cluster.start({ flags: ['--quota-backend-bytes=4000000'] });
  const client = await connect({ endpoints: full.endpoints, sessionTtlMs: 5_000 });
  const folder = programFolder();
  try {
    const hold = await client.mutex('held').acquire();
    await fill(client);
    expect(await outcome(client.mutex('other').tryAcquire())).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });

    const env = {
      PATH: `${folder}:${process.env['PATH'] ?? ''}`,
      CONCLAVE_ENDPOINTS: full.endpoints.join(','),
      ETCDCTL_ENDPOINTS: full.endpoints.join(','),
      ETCDCTL_API: '3',
    };
    const { code } = documentedSnippet('commands: over quota');
    const printed = await run('bash', ['-euo', 'pipefail', '-c', code], { cwd: folder, env });

    expect(printed).toContain('alarm:NOSPACE');
    expect(await full.etcdctl('alarm', 'list')).toBe('');
    expect(hold.isHeld()).toBe(true);
    await client.mutex('other').run(() => {});
    await hold.release();
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await client.close();
  }
});

/** Writes one key over and over, until etcd takes no more. */
async function fill(client: Conclave): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const error = await outcome(client.store.put('ballast', 'x'.repeat(500_000)));
    if (isConclaveError(error)) return;
  }
  throw new Error('the store never filled up');
}
