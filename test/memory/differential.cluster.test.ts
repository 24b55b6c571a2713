import { expect, it } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { Cluster } from '../rig/cluster.js';
import { compareTransports } from './differential.js';
import { ManualRuntime } from './manual-runtime.js';

const operations = Number(process.env['CONCLAVE_DIFF_OPS'] ?? 20_000);
const seed = Number(process.env['CONCLAVE_DIFF_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

it('answers exactly as a real etcd does', { timeout: 60_000 + operations * 5 }, async () => {
  console.log(`${operations} operations, seed ${seed}`);
  await using cluster = await Cluster.start();
  const engine = new Engine({ runtime: new ManualRuntime() });
  const server = new EtcdTransport({
    endpoints: cluster.endpoints,
    runtime: systemRuntime,
    dialTimeoutMs: 5_000,
  });
  try {
    await compareTransports({ engine: new MemoryTransport(engine), server, seed, operations });
  } finally {
    await server.close();
    engine.close();
  }
  expect(engine.keysWalked).toBeGreaterThan(0);
});
