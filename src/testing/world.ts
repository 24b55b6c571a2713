import { sleep } from '../base/runtime.js';
import { Conclave } from '../conclave.js';
import type { Probe } from '../base/probes.js';
import { Engine } from '../memory/engine.js';
import { MemoryTransport } from '../memory/transport.js';
import { Store } from '../store/store.js';
import type { Transport } from '../store/transport.js';
import type { Fault } from './call-faults.js';
import { checkWait, DeadlockError } from './deadlock.js';
import { Faults } from './faults.js';
import type { WatchRequest } from './faulty-transport.js';
import { findLeaks, type Leak, LeakError, longestLeaseMs } from './leaks.js';
import { Past } from './past.js';
import { Peer } from './peer.js';
import { PeerRuntime } from './peer-runtime.js';
import { checkProbe, ProbeHooks } from './probe-hooks.js';
import { Random } from './random.js';
import type { Sent } from './sent.js';
import type { Party } from './store-faults.js';
import { Trace } from './trace.js';
import { VirtualClock } from './virtual-clock.js';
import type { ClientOptions, PeerSettings, WorldOptions } from './world-options.js';

/** Longest time `run` waits, unless told otherwise. */
const defaultLimitMs = 60_000;
/** How long clients may take to close, with every fault undone. */
const closeLimitMs = 120_000;
/** How long a request can be late when the world ends. */
const latenessLimitMs = 3_600_000;
/** Beyond a lease's time: the server's scan, and retries. */
const graceMs = 10_000;

/**
 * A cluster and its clients in one process, on virtual time, with a network that breaks on demand: for deterministic
 * tests of code that uses Conclave.
 *
 * ```ts
 * await using world = await World.open();
 * const client = await world.client({ sessionTtlMs: 3_000 });
 * const hold = await client.mutex('m').acquire();
 * world.partition(client);
 * await world.advance(5_000);
 * expect(hold.isHeld()).toBe(false);
 * ```
 *
 * Guarantees:
 * - Time passes only in `advance` and `run`. Without a fault a request is answered without any, so `await` works in
 *   between; what waits for a time-out or a retry needs `run`.
 * - The same seed and the same calls give the same run, byte for byte, on the same version of Node.
 * - Disposing fails if a client has left anything behind (`LeakError`).
 *
 * Not modelled: disks; authentication.
 */
export class World extends Faults implements AsyncDisposable {
  /** The test's own eyes: no fault hits it. */
  readonly store: Store;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #idBase: number;
  readonly #inner: Transport;
  readonly #past: Past;
  readonly #remaining: string[] = [];
  readonly #probes = new ProbeHooks();
  #disposed: Promise<void> | undefined;

  static open(options: WorldOptions = {}): Promise<World> {
    const { seed = 1, members = 3, drain, trace = true } = options;
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed must be a whole number, got ${seed}`);
    if (!Number.isInteger(members) || members < 1)
      throw new RangeError(`members must be 1 or more, got ${members}`);
    return Promise.resolve(new World({ seed, members, trace, ...(drain && { drain }) }));
  }

  private constructor({
    seed,
    members: count,
    drain,
    trace,
  }: WorldOptions & { seed: number; members: number }) {
    const clock = new VirtualClock(drain);
    const random = new Random(seed);
    const idBase = random.uint32() >>> 1;
    const runtimeOf = (index: number): PeerRuntime =>
      new PeerRuntime({ clock, random: random.split(index), index, idBase, onProbe: () => {} });
    const endpoints = Array.from({ length: count }, (_, i) => `member-${i + 1}`);
    const past = new Past(clock);
    const engine = new Engine({ runtime: runtimeOf(0), onRevision: (revision) => past.note(revision) });
    super({ engine, endpoints, random, trace: new Trace(trace ? () => clock.now() : undefined) });
    this.#clock = clock;
    this.#random = random;
    this.#idBase = idBase;
    this.#past = past;
    this.#inner = new MemoryTransport(this.engine, endpoints);
    this.store = new Store(new MemoryTransport(this.engine), { runtime: runtimeOf(1) });
  }

  /** Opens a client in a process of its own. The world closes it in the end. */
  client({ name, clockRate, ...options }: ClientOptions = {}): Promise<Conclave> {
    const { namespace } = options;
    const peer = this.peer({
      ...(name !== undefined && { name }),
      ...(clockRate !== undefined && { clockRate }),
      ...(namespace !== undefined && { namespace }),
    });
    const client = Conclave.over(peer.transport, {
      holder: peer.name,
      ...options,
      runtime: peer.runtime,
      process: { host: peer.name, pid: this.peers.length }, // the same on every machine
    });
    this.clients.set(client, peer);
    return Promise.resolve(client);
  }

  /** A process without a client, for tests of what lies below: whoever opens something on it closes it. */
  peer(settings: PeerSettings = {}): Peer {
    const number = this.peers.length + 1;
    const { name = `client-${number}`, namespace = 'conclave', ...options } = settings;
    const index = number + 1; // after the engine and the world's own store
    const peer = new Peer(this.#inner, {
      ...options,
      name,
      namespace,
      index,
      clock: this.#clock,
      past: this.#past,
      random: this.#random.split(index),
      idBase: this.#idBase,
      isTraced: this.trace.isOn,
      onProbe: (at, probe) => this.#probes.pass(at, probe),
      onTraffic: (...words) => this.trace.add(...words),
    });
    for (const route of peer.transport.routes) this.join(route);
    this.peers.push(peer);
    return peer;
  }

  // Time

  /** Milliseconds since the world began. */
  now(): number {
    return this.#clock.now();
  }

  /**
   * Lets `ms` pass: everything that falls due runs, each at its own time, with all promises settled in between. One call
   * after the other: code that calls it while time is passing gets its turn after that.
   */
  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }

  /**
   * For code under test, in the place of a timer: resolves when `ms` have passed on the client's own clock. While the client
   * is paused it waits, and of one that has crashed it never resolves. What still sleeps when the world ends is a leak.
   *
   * @param options `signal`: rejects with its reason as soon as it aborts
   * @throws RangeError unless `ms` is finite and 0 or more
   */
  async sleep(client: Party, ms: number, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`nobody can sleep for ${ms} ms`);
    return sleep(this.peerOf(client).runtime, ms, { signal });
  }

  /** Lets everything run that can run without time passing. */
  override settle(): Promise<void> {
    return this.#clock.settle();
  }

  /**
   * Lets time pass, timer by timer, until `promise` settles; then settles as it does. It cannot see what is real: while the
   * code waits for a socket, a file or `setTimeout`, virtual time rushes on to the limit.
   *
   * @param options `limitMs`: at most so much time. @default 60000
   * @throws DeadlockError if the limit is reached, or if nothing is left that could ever happen
   * @throws TypeError if it is no promise: a function is to be called first
   */
  async run<T>(promise: Promise<T>, { limitMs = defaultLimitMs }: { limitMs?: number } = {}): Promise<T> {
    checkWait(promise, limitMs);
    const state = { isSettled: false };
    const settled = (): void => void (state.isSettled = true);
    promise.then(settled, settled);
    const limit = this.now() + limitMs;
    await this.settle();
    while (!state.isSettled && (await this.#clock.step(limit)));
    if (!state.isSettled) throw new DeadlockError(this.#clock, this.peers, this.trace, limitMs);
    return promise;
  }

  // What can be seen

  /** The store's revision: it rises by one with each write. */
  get revision(): bigint {
    return this.engine.execute('status', {}).header.revision;
  }

  /** Everything the client has sent so far, in order. */
  calls(client: Party): readonly Sent[] {
    return [...this.peerOf(client).transport.sent];
  }

  /** The watches it has at the moment. */
  watches(client: Party): readonly WatchRequest[] {
    return this.peerOf(client).transport.watches;
  }

  /**
   * Calls `callback` whenever code under test passes a probe point of this name: the place to aim a fault. docs/testing.md
   * lists them.
   *
   * @param options `client`: only there
   * @returns whether it was ever called, and what removes it again
   * @throws TypeError if there is no such point
   */
  onProbe(name: Probe, callback: (peer: Peer) => void, { client }: { client?: Party } = {}): Fault {
    checkProbe(name);
    return this.#probes.add(name, { callback, peer: client && this.peerOf(client) });
  }

  /** A hash of everything sent and delivered so far: equal for equal runs. */
  traceHash(): string {
    return this.trace.hash;
  }

  /** The latest of it, for people. */
  timeline(): readonly string[] {
    return this.trace.tail;
  }

  /**
   * Keys that begin with `start` are meant to outlive their clients: no leak. Only keys below a client's namespace, or with
   * a lease, need it; no others are looked at.
   */
  allowKeys(start: string): void {
    this.#remaining.push(start);
  }

  // The end

  /**
   * Undoes every fault, closes all clients (but those that crashed) and lets every late request arrive.
   *
   * @throws LeakError if a key, lease, watch, stream or timer is left. What a client leaves that was hit by a fault has one
   * lease's time to go away.
   */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#probes.clear();
    this.mend();
    const isLiving = ({ activity }: Peer): boolean => activity !== 'crashed';
    const living = [...this.clients].filter(([, peer]) => isLiving(peer));
    await this.run(Promise.all(living.map(([client]) => client.close())), { limitMs: closeLimitMs });
    await Promise.all(this.peers.filter(isLiving).map(({ transport }) => transport.close()));
    await this.store.close();
    const leaks = await this.#leaks();
    this.engine.close();
    if (leaks.length > 0) throw new LeakError(leaks.map(({ what }) => what));
  }

  async #leaks(): Promise<readonly Leak[]> {
    const routes = this.peers.flatMap(({ transport }) => transport.routes);
    const lateLimit = this.now() + latenessLimitMs;
    await this.settle();
    while (routes.some(({ isQuiet }) => !isQuiet) && (await this.#clock.step(lateLimit)));

    const find = (): readonly Leak[] =>
      findLeaks({
        engine: this.engine,
        peers: this.peers,
        mayRemain: (key) => this.#remaining.some((start) => key.startsWith(start)),
      });
    const limit = this.now() + longestLeaseMs(this.engine) + graceMs;
    let leaks = find();
    while (leaks.length > 0 && leaks.every(({ mayPass }) => mayPass) && (await this.#clock.step(limit)))
      leaks = find();
    return leaks;
  }
}
