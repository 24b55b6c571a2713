import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { Cluster } from '../rig/cluster.js';
import { compareTransports } from './differential.js';
import { ManualRuntime } from './manual-runtime.js';

const operations = Number(process.env['CONCLAVE_DIFF_OPS'] ?? 20_000);
const seed = Number(process.env['CONCLAVE_DIFF_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

/** All that a run should come across. */
const refusals = [
  'etcdserver: key is not provided',
  'etcdserver: key not found',
  'etcdserver: value is provided',
  'etcdserver: lease is provided',
  'etcdserver: too many operations in txn request',
  'etcdserver: duplicate key given in txn request',
  'etcdserver: mvcc: required revision has been compacted',
  'etcdserver: mvcc: required revision is a future revision',
  'etcdserver: requested lease not found',
  'etcdserver: lease already exists',
  'etcdserver: too large lease TTL',
];

let cluster: Cluster;
let server: EtcdTransport;
const engine = new Engine({ runtime: new ManualRuntime() });

beforeAll(async () => {
  cluster = await Cluster.start();
  server = new EtcdTransport({
    endpoints: cluster.endpoints,
    runtime: systemRuntime,
    dialTimeoutMs: 5_000,
  });
}, 30_000);

afterAll(async () => {
  engine.close();
  await server.close();
  await cluster[Symbol.asyncDispose]();
});

it('answers exactly as a real etcd does', { timeout: 60_000 + operations * 5 }, async () => {
  console.log(`${operations} operations, seed ${seed}`);
  const tally = await compareTransports({
    engine: new MemoryTransport(engine),
    server,
    seed,
    operations,
  });
  console.log(tally);
  if (operations < 20_000) return; // a short replay need not see everything
  expect(tally.watchEvents).toBeGreaterThan(1_000);
  for (const text of refusals) expect(tally.refusals.get(text) ?? 0, text).toBeGreaterThan(0);
});
