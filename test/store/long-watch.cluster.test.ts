import { beforeEach, describe, expect, it, vi } from 'vitest';

import { connect, type Conclave, isConclaveError } from '../../src/index.js';
import { Cluster } from '../rig/cluster.js';
import { type EtcdVersion, nameOf, skipWithout } from '../rig/etcd-version.js';
import { figure } from '../rig/figure.js';
import { Reader, Writers } from './long-history.js';

const revisions = 100_000;
const stages = 8;
const guardMs = 400_000;
const patience = { timeout: 60_000, interval: 20 };

/** Three members, writers, two readers that always read and one that sleeps for a while; and what is done to them. */
class LongRun implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #admin: Conclave;
  readonly #writers: Writers;
  readonly #readers: readonly [Reader, Reader];
  readonly #sleeper: Reader;
  readonly #first: bigint;
  #compacted = 0n;
  readonly #faults = { kills: 0, stops: 0, compactions: 0 };

  private constructor(cluster: Cluster, admin: Conclave, writers: Writers, readers: Reader[], first: bigint) {
    this.#cluster = cluster;
    this.#admin = admin;
    this.#writers = writers;
    this.#readers = [readers[0]!, readers[1]!];
    this.#sleeper = readers[2]!;
    this.#first = first;
  }

  static async start(version: EtcdVersion): Promise<LongRun> {
    const cluster = await Cluster.start({ version, members: 3 });
    const { endpoints } = cluster;
    const admin = await connect({ endpoints, dialTimeoutMs: 20_000 });
    const first = (await admin.store.get('nothing')).header.revision + 1n;
    const readers = [1, 2, 3].map(() => Reader.start(endpoints, first));
    return new LongRun(
      cluster,
      admin,
      await Writers.connect(endpoints, 5),
      await Promise.all(readers),
      first,
    );
  }

  get readers(): readonly Reader[] {
    return [...this.#readers, this.#sleeper];
  }

  /** Writes a stage's share while each of these happens. */
  async stage(...meanwhile: readonly (() => Promise<void>)[]): Promise<void> {
    const writing = this.#writers.write(revisions / stages);
    const all = await Promise.allSettled([writing, ...meanwhile.map((each) => each())]);
    for (const each of all) if (each.status === 'rejected') throw each.reason;
  }

  /** SIGKILL for the member that one of the readers watches, and after a while another start. */
  async kill(reader: number): Promise<void> {
    const member = this.#memberOf(reader);
    await this.#cluster.kill(member);
    await this.#cluster.healthy([0, 1, 2].filter((each) => each !== member));
    await this.#cluster.restart(member);
    this.#faults.kills += 1;
  }

  /** SIGSTOP for the member that one of the readers watches, for as long as that reader sees nothing new; then SIGCONT. */
  async stop(reader: number): Promise<void> {
    const member = this.#memberOf(reader);
    this.#cluster.stop(member);
    await this.#cluster.healthy([0, 1, 2].filter((each) => each !== member));
    const { next } = this.#readers[reader]!;
    await vi.waitFor(() => expect(this.#readers[reader]!.next).toBeGreaterThan(next + 1_000n), patience);
    this.#cluster.cont(member);
    await this.#cluster.healthy();
    this.#faults.stops += 1;
  }

  /** Takes away all that these have seen, and nothing else. */
  async compact(below: readonly Reader[] = this.readers): Promise<void> {
    const revision = below.reduce((least, { next }) => (next < least ? next : least), this.#readers[0].next);
    await vi.waitFor(() => this.#compactAt(revision), patience);
    this.#compacted = revision;
    this.#faults.compactions += 1;
  }

  sleep(): void {
    this.#sleeper.fallAsleep();
  }

  /** Takes away what the sleeper has not seen yet, but everybody else. */
  async compactAboveTheSleeper(): Promise<void> {
    const asleep = this.#sleeper.next;
    const beyond = asleep + 5_000n; // far more than what has reached it already
    await vi.waitFor(() => {
      for (const { next } of this.#readers) expect(next).toBeGreaterThan(beyond);
    }, patience);
    await this.compact(this.#readers);
  }

  async wake(): Promise<void> {
    this.#sleeper.wakeUp();
    await vi.waitFor(() => expect(this.#sleeper.skips).toHaveLength(1), patience);
  }

  /** Waits for everybody, and holds what they were shown against what was acknowledged. */
  async judge(): Promise<void> {
    const { header } = await this.#admin.store.get('nothing');
    await this.#untilAt(this.readers, header.revision);
    const last = header.revision;
    const [one, other] = this.#readers;
    const { acknowledged, uncertain } = this.#writers;
    expect(this.readers.flatMap(({ nonsense }) => nonsense)).toEqual([]);

    expect([one.skips, other.skips]).toEqual([[], []]);
    expect(one.seen.size).toBe(Number(last - this.#first) + 1);
    expect(differences(other.seen, one.seen)).toEqual([]);
    expect(differences(acknowledged, one.seen)).toEqual([]);
    const unheard = [...one.seen].filter(([revision]) => !acknowledged.has(revision));
    expect(unheard.filter(([, pair]) => !uncertain.has(pair))).toEqual([]);
    expect(new Set(one.seen.values()).size).toBe(one.seen.size); // no put was done twice

    const [skip] = this.#sleeper.skips;
    expect(this.#sleeper.skips).toHaveLength(1);
    expect(skip!.from).toBeLessThan(skip!.to); // or there was nothing that it could not have been shown
    expect(skip!.state).toEqual(stateAt(one.seen, skip!.to));
    expect(differences(this.#sleeper.seen, one.seen)).toEqual([]);
    expect(this.#sleeper.seen.size).toBe(one.seen.size - Number(skip!.to - skip!.from + 1n));

    await this.#replay(one.seen, last);
    figure('revisions', `${one.seen.size}, ${unheard.length} of them not acknowledged`);
    figure('faults', JSON.stringify(this.#faults));
    figure('compacted away from under the sleeper', `${skip!.to - skip!.from} revisions`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.readers, this.#writers].map((each) => each[Symbol.asyncDispose]()));
    await this.#admin.close();
    await this.#cluster.dispose();
  }

  /** What the store still has, as somebody who has just come is shown it. */
  async #replay(seen: ReadonlyMap<bigint, string>, last: bigint): Promise<void> {
    await using late = await Reader.start(this.#cluster.endpoints, this.#compacted);
    await this.#untilAt([late], last);
    expect([late.nonsense, late.skips]).toEqual([[], []]);
    expect(differences(late.seen, seen)).toEqual([]);
    expect(late.seen.size).toBe(Number(last - this.#compacted) + 1);
  }

  async #untilAt(readers: readonly Reader[], revision: bigint): Promise<void> {
    const waiting = vi.waitFor(() => {
      for (const { next } of readers) expect(next).toBeGreaterThan(revision);
    }, patience);
    await Promise.race([waiting, ...readers.map(({ ended }) => ended)]);
  }

  /** One that nobody has answered may have been done. */
  async #compactAt(revision: bigint): Promise<void> {
    await this.#admin.store.compact(revision).catch((error: unknown) => {
      if (!isConclaveError(error, 'COMPACTED')) throw error;
    });
  }

  #memberOf(reader: number): number {
    return this.#cluster.endpoints.indexOf(this.#readers[reader]!.endpoint);
  }
}

/** What the one was shown and the other was not, or otherwise. */
function differences(some: ReadonlyMap<bigint, string>, all: ReadonlyMap<bigint, string>): string[] {
  return [...some].flatMap(([revision, pair]) =>
    all.get(revision) === pair ? [] : [`${revision}: ${pair}, not ${String(all.get(revision))}`],
  );
}

/** Each put replaces the one before of its key. */
function stateAt(seen: ReadonlyMap<bigint, string>, last: bigint): Map<string, string> {
  const pairs = [...seen].filter(([revision]) => revision <= last).map(([, pair]) => pair.split('='));
  return new Map(pairs.map(([key = '', value = '']) => [key, value]));
}

/** An old etcd may lose events if a member is killed while it compacts: there they come one after the other. */
const courses = { installed: apart, '3.6': together } satisfies Partial<Record<EtcdVersion, unknown>>;

describe.each(['installed', '3.6'] as const)(
  'a watch over 100,000 revisions',
  (version) => {
    beforeEach(skipWithout(version));

    it(`shows each once and in order, or says that it is compacted, on ${nameOf(version)}`, async () => {
      const started = performance.now();
      await using run = await LongRun.start(version);
      await courses[version](run);
      await run.judge();
      figure(`a watch over 100,000 revisions on ${nameOf(version)}`, performance.now() - started);
    });
  },
  guardMs,
);

/** First kills and stops, then compactions. */
async function apart(run: LongRun): Promise<void> {
  for (const reader of [0, 1]) {
    await run.stage(() => run.kill(reader));
    await run.stage(() => run.stop(reader));
  }
  await run.stage(() => run.compact());
  run.sleep();
  await run.stage(() => run.compactAboveTheSleeper());
  await run.stage(() => run.wake());
  await run.stage(() => run.compact());
}

async function together(run: LongRun): Promise<void> {
  for (const reader of [0, 1]) {
    await run.stage(
      () => run.kill(reader),
      () => run.compact(),
    );
    await run.stage(
      () => run.stop(reader),
      () => run.compact(),
    );
  }
  run.sleep();
  await run.stage(
    () => run.kill(0),
    () => run.compactAboveTheSleeper(),
  );
  await run.stage(
    () => run.stop(1),
    () => run.wake(),
  );
  await run.stage(
    () => run.kill(1),
    () => run.compact(),
  );
  await run.stage(
    () => run.stop(0),
    () => run.compact(),
  );
}
