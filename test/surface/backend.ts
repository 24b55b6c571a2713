import { type Header } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import type { EtcdVersion } from '../rig/etcd-version.js';

/** A store that runs, as programs reach it. */
export interface Backend extends AsyncDisposable {
  /** For `connect`. */
  readonly endpoints: readonly string[];
  /** What the header of every answer has to say besides the revision, from another source. */
  identity(): Promise<Omit<Header, 'revision'>>;
  /** A real etcd, not the embedded engine. */
  readonly cluster?: Cluster;
}

/** The embedded engine, in real time. It lives as long as anybody is connected. */
export async function memoryBackend(): Promise<Backend> {
  return {
    endpoints: ['memory:surface'],
    identity: async () => ({ clusterId: 1n, memberId: 1n, raftTerm: 2n }),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** An etcd of one member. */
export async function etcdBackend(version: EtcdVersion): Promise<Backend> {
  const cluster = await Cluster.start({ version });
  return {
    endpoints: cluster.endpoints,
    identity: async () => {
      const fields = await cluster.etcdctl('endpoint', 'status', '-w', 'fields');
      const field = (name: string): bigint =>
        BigInt(new RegExp(`^"${name}" : (\\d+)$`, 'm').exec(fields)?.[1] ?? -1);
      return { clusterId: field('ClusterID'), memberId: field('MemberID'), raftTerm: field('RaftTerm') };
    },
    cluster,
    [Symbol.asyncDispose]: () => cluster.dispose(),
  };
}
