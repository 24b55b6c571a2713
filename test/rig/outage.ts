import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { recorded, type Recorded } from '../lock/fixture.js';
import { Cluster } from './cluster.js';
import { Proxy } from './proxy.js';

const options = { sessionTtlMs: 120_000, dialTimeoutMs: 20_000 };

/** Three members, a client that can be cut off from them, and one that is not. */
export class Outage implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly near: Conclave;
  /** Sees the cluster through proxies. */
  readonly far: Recorded;
  readonly #proxies: readonly Proxy[];

  private constructor(cluster: Cluster, near: Conclave, proxies: readonly Proxy[]) {
    this.cluster = cluster;
    this.near = near;
    this.#proxies = proxies;
    this.far = recorded(
      proxies.map(({ endpoint }) => endpoint),
      options,
    );
  }

  static async start(): Promise<Outage> {
    const cluster = await Cluster.start({ members: 3 });
    const near = await connect({ endpoints: cluster.endpoints, ...options });
    return new Outage(cluster, near, await Promise.all(cluster.endpoints.map((each) => Proxy.start(each))));
  }

  /** What `work` does the far client does not hear of: it is cut off, and finds that the store has forgotten it. */
  async hide<T>(work: () => Promise<T>): Promise<T> {
    for (const proxy of this.#proxies) await proxy.set('refuse');
    const result = await work();
    const { header } = await this.near.store.put('something/else', '');
    await this.near.store.compact(header.revision, { physical: true });
    for (const proxy of this.#proxies) await proxy.set('pass');
    return result;
  }

  /** One member after the other is killed, and starts again. */
  async restartEach(): Promise<void> {
    for (const member of this.cluster.endpoints.keys()) await this.cluster.restart(member);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.far[Symbol.asyncDispose]();
    await this.near.close();
    for (const proxy of this.#proxies) await proxy[Symbol.asyncDispose]();
    await this.cluster.dispose();
  }
}
