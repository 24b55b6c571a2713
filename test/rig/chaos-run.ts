import { expect, vi } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { prefix } from '../../src/store/operations.js';
import { Random } from '../../src/testing/random.js';
import { Cluster } from './cluster.js';
import { Crowd } from './crowd.js';
import { torment } from './torment.js';
import { figure } from './figure.js';
import { guardMs } from './patience.js';

const sessionTtlMs = 3_000;
const seconds = Number(process.env['CHAOS_SECONDS'] ?? 25);
const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
/** Outside of the namespace, which must be empty in the end. */
const marks = 'marks';

/** Three members, a crowd of clients that do one job, and a while of faults. */
export class ChaosRun implements AsyncDisposable {
  static readonly timeoutMs: number = seconds * 1_000 + 5 * guardMs;
  readonly namespace: string;
  readonly cluster: Cluster;
  /** Only looks: has no session. */
  readonly observer: Conclave;

  private constructor(namespace: string, cluster: Cluster, observer: Conclave) {
    this.namespace = namespace;
    this.cluster = cluster;
    this.observer = observer;
  }

  static async start(namespace: string): Promise<ChaosRun> {
    const cluster = await Cluster.start({ members: 3 });
    const observer = await connect({ endpoints: cluster.endpoints, namespace });
    return new ChaosRun(namespace, cluster, observer);
  }

  /**
   * Lets the crowd work among faults until everybody has finished and nothing of theirs is left, and expects what must be
   * so of any job: that much was done, and that whoever was stopped past its TTL was refused by the store.
   *
   * @param meanwhile what else is to happen
   */
  async torment(job: object, meanwhile?: (crowd: Crowd) => Promise<void>): Promise<Crowd> {
    console.log(
      `seed ${seed}; to repeat: CHAOS_SEED=${seed} CHAOS_SECONDS=${seconds} npm run test:cluster -- ${this.namespace}`,
    );
    const { cluster } = this;
    const crowd = this.crowd(job);
    try {
      await crowd.fill();
      const faulty = torment({ cluster, victims: crowd, random: new Random(seed), seconds });
      const faults = await both(faulty, meanwhile?.(crowd));
      await crowd.finish();
      await this.#untilQuiet();
      figure('faults', JSON.stringify(faults));
      figure('setbacks of clients', JSON.stringify(crowd.setbacks()));
      this.#expectSense(crowd, faults);
      return crowd;
    } catch (error) {
      await crowd[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** 20 clients in five processes, which do nothing yet. */
  crowd(job: object): Crowd {
    const { cluster, observer, namespace } = this;
    return new Crowd({
      options: { endpoints: cluster.endpoints, namespace, sessionTtlMs, dialTimeoutMs: 20_000 },
      processes: 5,
      clientsPerProcess: 4,
      job: { ...job, marks },
      isGone: async (key) => (await observer.store.get(key)).count === 0,
    });
  }

  /** The keys below the namespace. */
  async leftovers(): Promise<string[]> {
    const { kvs } = await this.observer.store.get(prefix(`${this.namespace}/`), { keysOnly: true });
    return kvs.map(({ key }) => toText(key));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.observer.close();
    await this.cluster.dispose();
  }

  #expectSense(crowd: Crowd, faults: Record<string, number>): void {
    const acked = crowd.count('acked');
    figure('grants', `${crowd.count('granted')}, ${acked} wrote, ${crowd.count('refused')} were refused`);
    expect(acked).toBeGreaterThan(20);
    for (const times of Object.values(faults)) expect(times).toBeGreaterThan(0);
    expect(new Set(crowd.lateWrites)).toEqual(new Set(['refused']));
  }

  async #untilQuiet(): Promise<void> {
    await vi.waitFor(
      async () => expect((await this.leftovers()).filter((key) => !key.endsWith('/limit'))).toEqual([]),
      { timeout: 20 * sessionTtlMs, interval: 100 },
    );
  }
}

/** Waits for the other one even if one fails: nothing may go on behind a test that has ended. */
async function both<A>(one: Promise<A>, other: Promise<void> | undefined): Promise<A> {
  await Promise.allSettled([one, other]);
  await other;
  return one;
}
