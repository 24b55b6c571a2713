import { put, toRange } from '../../src/store/operations.js';
import type { Calls, Method, Transport, TransportError, WatchCommand } from '../../src/store/transport.js';
import { Comparison, type Tally } from './comparison.js';
import { Random } from './random.js';
import { RandomOperations, leases } from './random-operations.js';

const maxWatches = 12;

export interface DifferentialOptions {
  readonly engine: Transport;
  readonly server: Transport;
  readonly seed: number;
  readonly operations: number;
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

class Differential {
  readonly #count: number;
  readonly #both: Comparison;
  readonly #random: Random;
  readonly #operations: RandomOperations;
  #nextWatchId = 1n;
  #watches: bigint[] = [];

  constructor({ engine, server, seed, operations }: DifferentialOptions) {
    this.#count = operations;
    const environment = `CONCLAVE_DIFF_SEED=${seed} CONCLAVE_DIFF_OPS=${operations}`;
    this.#both = new Comparison(
      engine,
      server,
      `${environment} npx vitest run test/memory/differential.cluster.test.ts`,
    );
    this.#random = new Random(seed);
    this.#operations = new RandomOperations(this.#random);
  }

  async run(): Promise<Tally> {
    try {
      for (this.#both.index = 1; this.#both.index <= this.#count; this.#both.index++) await this.#step();
      await this.#both.settle();
      return this.#both.tally;
    } finally {
      await this.#both.close();
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
        return this.#both.read('get', operations.get());
      case 'compact':
        return this.#compact();
      case 'lease':
        return this.#lease();
      case 'watch':
        return this.#watch();
    }
  }

  async #write<M extends Method>(
    method: M,
    request: Calls[M]['request'],
  ): Promise<Calls[M]['response'] | TransportError> {
    const answer = await this.#both.write(method, request);
    if ('header' in answer) this.#operations.revision = answer.header.revision;
    return answer;
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
        return this.#both.read('leaseTimeToLive', { id, keys: this.#random.chance(0.7) });
      case 'list':
        return this.#both.read('leaseList', {});
      case 'keepAlive':
        return this.#keepAlive(id);
      case 'status':
        return this.#both.read('status', {});
    }
  }

  /** A lease with an id and a TTL of the server's choice: it goes at once, before it can expire. */
  async #grantAnonymous(): Promise<void> {
    await this.#both.finishReads();
    const request = { id: 0n, ttlSeconds: this.#random.pick([-1, 0, 1, 2, 3, 60]) };
    const expected = await this.#both.engine.call('leaseGrant', request);
    const actual = await this.#both.server.call('leaseGrant', request);
    const ids = [expected, actual].map((answer) => ('id' in answer ? answer.id : 0n));
    this.#both.compareAnswers(this.#both.index, 'leaseGrant', request, expected, actual);
    const revoked = await this.#both.engine.call('leaseRevoke', { id: ids[0]! });
    const alsoRevoked = await this.#both.server.call('leaseRevoke', { id: ids[1]! });
    this.#both.compareAnswers(this.#both.index, 'leaseRevoke', { id: 0n }, revoked, alsoRevoked);
  }

  async #keepAlive(lease: bigint): Promise<void> {
    await this.#both.finishReads();
    for (const side of this.#both.sides) side.keepAlive.send({ lease });
    await this.#both.until(
      'keep-alive',
      () => this.#both.server.keepAlives.length >= 1 && this.#both.engine.keepAlives.length >= 1,
    );
    const [expected, actual] = [
      this.#both.engine.keepAlives.splice(0),
      this.#both.server.keepAlives.splice(0),
    ];
    this.#both.compare(this.#both.index, `keep-alive of ${lease}`, expected, actual);
  }

  async #watch(): Promise<void> {
    await this.#both.finishReads();
    switch (this.#random.weighted({ create: 10, cancel: 6, again: 1, progress: 4 })) {
      case 'create':
        if (this.#watches.length >= maxWatches) return this.#cancelWatch(this.#watches[0]!);
        return this.#createWatch(this.#nextWatchId++);
      case 'cancel': // of an id never used, too
        return this.#cancelWatch(this.#random.pick([...this.#watches, this.#nextWatchId + 1000n]));
      case 'again':
        return this.#createWatch(this.#random.pick([...this.#watches, this.#nextWatchId++]));
      case 'progress':
        return this.#both.command({ kind: 'progress' }, -1n);
    }
  }

  async #createWatch(watchId: bigint): Promise<void> {
    const random = this.#random;
    const startRevision = random.chance(0.4) ? 0n : this.#operations.nearRevision();
    const isNew = !this.#watches.includes(watchId);
    // The server loses deletes of that revision; later versions, and the engine, do not.
    if (isNew && startRevision === this.#operations.compacted)
      for (const side of this.#both.sides) side.log.ignore(watchId, startRevision);
    const command: WatchCommand = {
      kind: 'create',
      watchId,
      range: this.#operations.range(),
      startRevision,
      prevKv: random.chance(0.4),
      exclude: random.pick([[], [], ['put'], ['delete'], ['put', 'delete']]),
    };
    const known = this.#both.engine.log.lines(watchId).length;
    await this.#both.command(command, isNew ? watchId : -1n);
    if (isNew && this.#both.engine.log.lines(watchId).length > known) this.#watches.push(watchId);
  }

  async #cancelWatch(watchId: bigint): Promise<void> {
    // Events on their way are lost at a cancel.
    await this.#both.settle();
    const isKnown = this.#watches.includes(watchId);
    this.#watches = this.#watches.filter((id) => id !== watchId);
    if (isKnown) return this.#both.command({ kind: 'cancel', watchId }, watchId);
    for (const side of this.#both.sides) side.watch.send({ kind: 'cancel', watchId });
    return this.#both.command({ kind: 'progress' }, -1n); // comes after the answer there must not be
  }

  /**
   * The server serves the watches that start in the past all together, every 100 ms: once it has served one that is
   * sure to get an event, it has served those before it, too.
   */
  async #catchUp(): Promise<void> {
    const written = await this.#write('put', put('marker', ''));
    if (!('header' in written)) throw new Error('the marker was refused');
    const watchId = this.#nextWatchId++;
    await this.#both.command(
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
    await this.#both.settle();
    await this.#both.command({ kind: 'cancel', watchId }, watchId);
  }
}
