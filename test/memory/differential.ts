import { setTimeout as delay } from 'node:timers/promises';
import { put, toRange } from '../../src/store/operations.js';
import type {
  Calls,
  KeepAliveCommand,
  KeepAliveMessage,
  Method,
  Stream,
  Transport,
  WatchCommand,
} from '../../src/store/transport.js';
import { TransportError } from '../../src/store/transport.js';
import { comparable, plain } from './plain.js';
import { Random } from './random.js';
import { RandomOperations, leases } from './random-operations.js';
import { WatchLog } from './watch-log.js';

/** Longer than any answer or event takes; the server's own loops take 100 ms. */
const patienceMs = 10_000;
const maxReadsInFlight = 64;
const maxWatches = 12;

export interface DifferentialOptions {
  readonly engine: Transport;
  readonly server: Transport;
  readonly seed: number;
  readonly operations: number;
}

/** How much was compared: a run that never saw a certain refusal or an event proves nothing about it. */
export interface Tally {
  answers: number;
  watchEvents: number;
  /** By the server's text. */
  readonly refusals: Map<string, number>;
}

/** The two did not agree. The message says on what, and how to see it again. */
export class Difference extends Error {
  override readonly name = 'Difference';
}

/**
 * Sends the same random operations to an engine and to a real server, both empty, and compares every answer, every
 * error and every watch event.
 *
 * Not compared: ids of members, clusters and leases the server chose, raft terms, remaining TTLs, the order of equal
 * sort keys, how watch events are cut into messages, and events of exactly the compacted revision.
 * @throws Difference
 */
export async function compareTransports(options: DifferentialOptions): Promise<Tally> {
  return new Differential(options).run();
}

/** A side of the comparison: what was sent to it, and what came back on its streams. */
class Side {
  readonly log = new WatchLog();
  readonly keepAlives: KeepAliveMessage[] = [];
  readonly watch: Stream<WatchCommand>;
  readonly keepAlive: Stream<KeepAliveCommand>;
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
    const endpoint = transport.endpoints[0]!;
    this.watch = transport.watchStream(endpoint, this.log);
    this.keepAlive = transport.keepAliveStream(endpoint, {
      message: (message) => this.keepAlives.push(message),
      ended: (error) => this.log.ended(error),
    });
  }

  /** The answer, or the error the server refused with. */
  async call<M extends Method>(
    method: M,
    request: Calls[M]['request'],
  ): Promise<Calls[M]['response'] | TransportError> {
    try {
      const options = { signal: AbortSignal.timeout(patienceMs), requireLeader: true };
      return await this.#transport.unary(this.#transport.endpoints[0]!, method, request, options);
    } catch (error) {
      if (error instanceof TransportError) return error;
      throw error;
    }
  }

  close(): void {
    this.watch.close();
    this.keepAlive.close();
  }
}

class Differential {
  readonly #options: DifferentialOptions;
  readonly #tally: Tally = { answers: 0, watchEvents: 0, refusals: new Map() };
  readonly #engine: Side;
  readonly #server: Side;
  readonly #random: Random;
  readonly #operations: RandomOperations;
  /** Comparisons under way: reads do not wait for each other. */
  #reads: Promise<void>[] = [];
  #nextWatchId = 1n;
  #watches: bigint[] = [];
  /** What is compared now, for the message of a difference. */
  #index = 0;

  constructor(options: DifferentialOptions) {
    this.#options = options;
    this.#engine = new Side(options.engine);
    this.#server = new Side(options.server);
    this.#random = new Random(options.seed);
    this.#operations = new RandomOperations(this.#random);
  }

  async run(): Promise<Tally> {
    try {
      for (this.#index = 1; this.#index <= this.#options.operations; this.#index++) await this.#step();
      await this.#settle();
      return this.#tally;
    } finally {
      await Promise.allSettled(this.#reads);
      this.#engine.close();
      this.#server.close();
    }
  }

  async #step(): Promise<void> {
    const operations = this.#operations;
    switch (
      this.#random.weighted({ put: 300, remove: 70, txn: 220, get: 300, compact: 3, lease: 80, watch: 27 })
    ) {
      case 'put':
        await this.#write('put', operations.put());
        return;
      case 'remove':
        await this.#write('remove', operations.remove());
        return;
      case 'txn':
        await this.#write('txn', operations.txn());
        return;
      case 'get':
        return this.#read('get', operations.get());
      case 'compact':
        return this.#compact();
      case 'lease':
        return this.#lease();
      case 'watch':
        return this.#watch();
    }
  }

  /** A read runs beside others; the engine answers before anything else is sent to it. */
  async #read<M extends Method>(method: M, request: Calls[M]['request']): Promise<void> {
    const index = this.#index;
    const expected = await this.#engine.call(method, request);
    const comparison = this.#server
      .call(method, request)
      .then((actual) => this.#compareAnswers(index, method, request, expected, actual));
    comparison.catch(() => {}); // awaited later
    this.#reads.push(comparison);
    if (this.#reads.length >= maxReadsInFlight) await this.#finishReads();
  }

  async #finishReads(): Promise<void> {
    const reads = this.#reads;
    this.#reads = [];
    await Promise.all(reads);
  }

  /** A write must find both stores in the same state. */
  async #write<M extends Method>(
    method: M,
    request: Calls[M]['request'],
  ): Promise<Calls[M]['response'] | TransportError> {
    await this.#finishReads();
    const expected = await this.#engine.call(method, request);
    this.#compareAnswers(this.#index, method, request, expected, await this.#server.call(method, request));
    if ('header' in expected) this.#operations.revision = expected.header.revision;
    return expected;
  }

  async #compact(): Promise<void> {
    await this.#catchUp(); // the server cancels a watch that lags behind a compaction
    const { compacted, revision } = this.#operations;
    const target = this.#random.chance(0.2)
      ? this.#operations.nearRevision()
      : compacted + BigInt(this.#random.below(Number(revision - compacted) + 1));
    const answer = await this.#write('compact', { revision: target, physical: this.#random.chance(0.5) });
    if ('header' in answer) this.#operations.compacted = target;
  }

  async #lease(): Promise<void> {
    const id = this.#random.pick(leases);
    switch (
      this.#random.weighted({
        grant: 25,
        anonymous: 10,
        revoke: 15,
        timeToLive: 25,
        list: 10,
        keepAlive: 10,
        status: 5,
      })
    ) {
      case 'grant': {
        // No lease may expire on the way: only the server would see the time pass.
        const ttlSeconds = this.#random.pick([3600, 86_400, 9_000_000_000, 9_000_000_001]);
        await this.#write('leaseGrant', { id, ttlSeconds });
        return;
      }
      case 'anonymous':
        return this.#grantAnonymous();
      case 'revoke':
        await this.#write('leaseRevoke', { id });
        return;
      case 'timeToLive':
        return this.#read('leaseTimeToLive', { id, keys: this.#random.chance(0.7) });
      case 'list':
        return this.#read('leaseList', {});
      case 'keepAlive':
        return this.#keepAlive(id);
      case 'status':
        return this.#read('status', {});
    }
  }

  /** A lease with an id and a TTL of the server's choice: it goes at once, before it can expire. */
  async #grantAnonymous(): Promise<void> {
    await this.#finishReads();
    const request = { id: 0n, ttlSeconds: this.#random.pick([-1, 0, 1, 2, 3, 60]) };
    const expected = await this.#engine.call('leaseGrant', request);
    const actual = await this.#server.call('leaseGrant', request);
    const ids = [expected, actual].map((answer) => ('id' in answer ? answer.id : 0n));
    this.#compareAnswers(this.#index, 'leaseGrant', request, expected, actual);
    const revoked = await this.#engine.call('leaseRevoke', { id: ids[0]! });
    const alsoRevoked = await this.#server.call('leaseRevoke', { id: ids[1]! });
    this.#compareAnswers(this.#index, 'leaseRevoke', { id: 0n }, revoked, alsoRevoked);
  }

  async #keepAlive(lease: bigint): Promise<void> {
    await this.#finishReads();
    for (const side of [this.#engine, this.#server]) side.keepAlive.send({ lease });
    await this.#until(
      'keep-alive',
      () => this.#server.keepAlives.length >= 1 && this.#engine.keepAlives.length >= 1,
    );
    const [expected, actual] = [this.#engine.keepAlives.splice(0), this.#server.keepAlives.splice(0)];
    this.#compare(this.#index, `keep-alive of ${lease}`, expected, actual);
  }

  async #watch(): Promise<void> {
    await this.#finishReads();
    switch (this.#random.weighted({ create: 10, cancel: 6, again: 1, progress: 4 })) {
      case 'create':
        if (this.#watches.length >= maxWatches) return this.#cancelWatch(this.#watches[0]!);
        return this.#createWatch(this.#nextWatchId++);
      case 'cancel': // of an id never used, too
        return this.#cancelWatch(this.#random.pick([...this.#watches, this.#nextWatchId + 1000n]));
      case 'again':
        return this.#createWatch(this.#random.pick([...this.#watches, this.#nextWatchId++]));
      case 'progress':
        return this.#command({ kind: 'progress' }, -1n);
    }
  }

  async #createWatch(watchId: bigint): Promise<void> {
    const random = this.#random;
    const startRevision = random.chance(0.4) ? 0n : this.#operations.nearRevision();
    const isNew = !this.#watches.includes(watchId);
    // The server loses deletes of that revision; later versions, and the engine, do not.
    if (isNew && startRevision === this.#operations.compacted)
      for (const side of [this.#engine, this.#server]) side.log.ignore(watchId, startRevision);
    const command: WatchCommand = {
      kind: 'create',
      watchId,
      range: this.#operations.range(),
      startRevision,
      prevKv: random.chance(0.4),
      exclude: random.pick([[], [], ['put'], ['delete'], ['put', 'delete']]),
    };
    const known = this.#engine.log.lines(watchId).length;
    await this.#command(command, isNew ? watchId : -1n);
    if (isNew && this.#engine.log.lines(watchId).length > known) this.#watches.push(watchId);
  }

  async #cancelWatch(watchId: bigint): Promise<void> {
    // Events on their way are lost at a cancel.
    await this.#settle();
    const isKnown = this.#watches.includes(watchId);
    this.#watches = this.#watches.filter((id) => id !== watchId);
    if (isKnown) return this.#command({ kind: 'cancel', watchId }, watchId);
    for (const side of [this.#engine, this.#server]) side.watch.send({ kind: 'cancel', watchId });
    return this.#command({ kind: 'progress' }, -1n); // comes after the answer there must not be
  }

  /** Sends a command to both sides and waits for its answer, which comes under the id given or under none. */
  async #command(command: WatchCommand, watchId: bigint): Promise<void> {
    const sizes = (side: Side): number => side.log.lines(watchId).length + side.log.lines(-1n).length;
    const before = sizes(this.#server);
    for (const side of [this.#engine, this.#server]) side.watch.send(command);
    await this.#until(plain(command), () => sizes(this.#server) > before);
    this.#compareLogs(plain(command), { finished: false });
  }

  /**
   * The server serves the watches that start in the past all together, every 100 ms: once it has served one that is
   * sure to get an event, it has served those before it, too.
   */
  async #catchUp(): Promise<void> {
    const written = await this.#write('put', put('marker', ''));
    if (!('header' in written)) throw new Error('the marker was refused');
    const watchId = this.#nextWatchId++;
    await this.#command(
      {
        kind: 'create',
        watchId,
        range: toRange('marker'),
        startRevision: written.header.revision,
        prevKv: false,
        exclude: [],
      },
      watchId,
    );
    await this.#settle();
    await this.#command({ kind: 'cancel', watchId }, watchId);
  }

  /** Waits until the server has delivered what the engine has; then both must have delivered the same. */
  async #settle(): Promise<void> {
    await this.#finishReads();
    const { log: expected } = this.#engine;
    const { log: actual } = this.#server;
    await this.#until('watch events', () =>
      expected.watchIds.every((id) => actual.lines(id).length >= expected.lines(id).length),
    );
    this.#compareLogs('watch events', { finished: true });
  }

  #compareLogs(what: string, { finished }: { finished: boolean }): void {
    for (const id of new Set([...this.#engine.log.watchIds, ...this.#server.log.watchIds])) {
      const expected = this.#engine.log.lines(id);
      const actual = this.#server.log.lines(id);
      // The server may lag; it must not differ.
      const length = finished ? expected.length : Math.min(expected.length, actual.length);
      if (finished) this.#tally.watchEvents += expected.filter((line) => line.startsWith('event')).length;
      this.#compare(
        this.#index,
        `${what}, watch ${id}`,
        expected.slice(0, length),
        finished ? actual : actual.slice(0, length),
      );
    }
    this.#compare(this.#index, 'order of events', this.#engine.log.problems, []);
    this.#compare(this.#index, 'order of events', [], this.#server.log.problems);
    if (finished) for (const side of [this.#engine, this.#server]) side.log.clear();
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs;
    for (let pause = 0; !condition(); pause = Math.min(pause + 1, 10)) {
      if (performance.now() > deadline) {
        this.#compareLogs(what, { finished: true });
        throw this.#difference(this.#index, what, 'an answer', `none in ${patienceMs} ms`);
      }
      await delay(pause);
    }
  }

  #compareAnswers<M extends Method>(
    index: number,
    method: M,
    request: Calls[M]['request'],
    expected: Calls[M]['response'] | TransportError,
    actual: Calls[M]['response'] | TransportError,
  ): void {
    this.#tally.answers++;
    if (expected instanceof TransportError) increment(this.#tally.refusals, expected.detail);
    const what = `${method} ${plain(request)}`;
    this.#compare(index, what, comparable(request, expected), comparable(request, actual));
  }

  #compare(index: number, what: string, expected: unknown, actual: unknown): void {
    const [fromEngine, fromServer] = [plain(expected), plain(actual)];
    if (fromEngine !== fromServer) throw this.#difference(index, what, fromEngine, fromServer);
  }

  #difference(index: number, what: string, fromEngine: string, fromServer: string): Difference {
    const { seed, operations } = this.#options;
    return new Difference(
      [
        `seed ${seed}, operation ${index}: ${what}`,
        `engine: ${fromEngine}`,
        `server: ${fromServer}`,
        `replay: CONCLAVE_DIFF_SEED=${seed} CONCLAVE_DIFF_OPS=${operations} npx vitest run test/memory/differential.cluster.test.ts`,
      ].join('\n'),
    );
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
