import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Engine } from '../../src/memory/engine.js';
import { MemoryTransport } from '../../src/memory/transport.js';
import { Cluster } from '../rig/cluster.js';
import type { Backend } from './contract.js';

/** The embedded engine, in real time. */
export async function memoryBackend(): Promise<Backend> {
  const engine = new Engine({ runtime: systemRuntime });
  return {
    transport: () => new MemoryTransport(engine),
    [Symbol.asyncDispose]: async () => engine.close(),
  };
}

/** An etcd of one member. */
export async function etcdBackend(): Promise<Backend> {
  const cluster = await Cluster.start();
  const { endpoints } = cluster;
  return {
    transport: () => new EtcdTransport({ endpoints, runtime: systemRuntime, dialTimeoutMs: 5_000 }),
    [Symbol.asyncDispose]: () => cluster.dispose(),
  };
}
