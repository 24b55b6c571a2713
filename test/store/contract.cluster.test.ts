import { describe } from 'vitest';

import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Cluster } from '../rig/cluster.js';
import { storeContract } from './contract.js';

describe('the store on etcd', () => {
  storeContract(async () => {
    const cluster = await Cluster.start();
    const { endpoints } = cluster;
    return {
      transport: () => new EtcdTransport({ endpoints, runtime: systemRuntime, dialTimeoutMs: 5_000 }),
      [Symbol.asyncDispose]: () => cluster.dispose(),
    };
  });
});
