import { hostname } from 'node:os';
import { checkNamespace, type Place } from './base/keys.js';
import { checkOptions } from './base/wait.js';
import { type FoundationOptions, checkTtl, keepProcessAlive } from './conclave-options.js';
import { atomicallyOnce } from './session/atomically-once.js';
import { type CloseOptions, Connection } from './session/connection.js';
import {
  forceRelease,
  type ForceReleaseOptions,
  requestRelease,
  type RequestReleaseOptions,
} from './session/asking.js';
import { type Health, healthOf, type HealthOptions } from './session/health.js';
import type { LineKind } from './session/line-kinds.js';
import { type ListEntry, listLines, type ListOptions } from './session/line-list.js';
import type { Session } from './session/session.js';
import type { TicketInfo } from './session/ticket-value.js';
import { CyclicBarrier } from './barrier/cyclic-barrier.js';
import { DoubleBarrier } from './barrier/double-barrier.js';
import { Gate } from './barrier/gate.js';
import { CountDownLatch, type LatchOptions } from './barrier/latch.js';
import type { BarrierOptions } from './barrier/options.js';
import { Counter } from './counter/counter.js';
import { Ids, type IdsOptions } from './counter/ids.js';
import { Election } from './election/election.js';
import { Mutex } from './lock/mutex.js';
import { MultiLock } from './lock/multi-lock.js';
import type { LockOptions, ReentrantOptions } from './lock/options.js';
import { RwLock } from './lock/rw-lock.js';
import { Semaphore, type SemaphoreOptions } from './lock/semaphore.js';
import { Queue } from './queue/queue.js';
import type { QueueOptions } from './queue/queue-options.js';
import { RecipePriorityQueue } from './queue/recipe-priority-queue.js';
import { RecipeQueue } from './queue/recipe-queue.js';
import type { StandardSchema } from './base/schema.js';
import type { AtomicOptions } from './store/atomically.js';
import type { Transaction } from './store/staged.js';
import { Store } from './store/store.js';
import type { Transport } from './store/transport.js';

/** What `Conclave` and `SessionConclave` are made of. */
interface Parts {
  readonly connection: Connection;
  /** Closes what was opened for this Conclave alone. */
  readonly closeStore: () => Promise<void>;
}

/**
 * A connection to a store, and the primitives on it. One per process is enough: all share one session, opened by the
 * first call that creates something, kept alive in the background, and opened anew after a loss.
 *
 * Close it, or dispose of it: an open Conclave on etcd keeps the process alive.
 */
export class Conclave implements AsyncDisposable {
  /** The key-value store below: read, write, watch, and guard transactions with `hold.guard()`. */
  readonly store: Store;
  readonly #parts: Parts;
  #closed: Promise<void> | undefined;

  /** For `connect` and for simulations: over any transport. No I/O. @throws TypeError, RangeError for bad options */
  static over(transport: Transport, options: FoundationOptions): Conclave {
    const { runtime, namespace = 'conclave', sessionTtlMs = 15_000, dialTimeoutMs = 5_000 } = options;
    checkNamespace(namespace);
    if (options.holder !== undefined && typeof options.holder !== 'string')
      throw new TypeError('holder must be a string');
    const { host, pid } = options.process ?? { host: hostname(), pid: process.pid };
    const name = options.holder ?? `${host}:${pid}`;
    const store = new Store(transport, { runtime, timeoutMs: dialTimeoutMs });
    const holder = { name, host, pid, ns: namespace };
    const connection = new Connection(store, { runtime, namespace, ttlMs: checkTtl(sessionTtlMs), holder });
    const keeper = options.keepsAlive ? keepProcessAlive(runtime) : undefined;
    return new Conclave({
      connection,
      closeStore: async () => {
        await store.close();
        keeper?.cancel();
      },
    });
  }

  protected constructor(parts: Parts) {
    this.#parts = parts;
    this.store = parts.connection.store;
  }

  /** First part of every key. */
  get namespace(): string {
    return this.#parts.connection.namespace;
  }

  /** A fair mutual-exclusion lock. No I/O. @throws TypeError, RangeError for a bad name or option */
  mutex(place: Place, options: LockOptions = {}): Mutex {
    return new Mutex(this.#parts.connection, place, options);
  }

  /** A fair read/write lock: readers share, a writer is alone. No I/O. @throws TypeError, RangeError for a bad name or option */
  rwLock(place: Place, options: ReentrantOptions = {}): RwLock {
    return new RwLock(this.#parts.connection, place, options);
  }

  /** A fair, weighted semaphore. No I/O. @throws TypeError, RangeError for a bad name or limit */
  semaphore(place: Place, options: SemaphoreOptions = {}): Semaphore {
    return new Semaphore(this.#parts.connection, place, options);
  }

  /** Several mutexes at once, all or nothing; up to 60. No I/O. @throws TypeError, RangeError for bad names or options */
  multiLock(places: readonly Place[], options: LockOptions = {}): MultiLock {
    return new MultiLock(this.#parts.connection, places, options);
  }

  /** One of many leads. No I/O. @throws TypeError, RangeError for a bad name */
  election(place: Place): Election {
    return new Election(this.#parts.connection, place);
  }

  /** What all wait at while it is closed. With `{ path }` the path is the key, as for etcd's Barrier. No I/O. @throws TypeError, RangeError for a bad name */
  gate(place: Place): Gate {
    return new Gate(this.#parts.connection, place);
  }

  /** Parties that enter and leave together. No I/O. @throws TypeError, RangeError for a bad name or number of parties */
  doubleBarrier(place: Place, options: BarrierOptions): DoubleBarrier {
    return new DoubleBarrier(this.#parts.connection, place, options);
  }

  /** Parties that wait for each other, round after round. No I/O. @throws TypeError, RangeError for a bad name or number of parties */
  cyclicBarrier(place: Place, options: BarrierOptions): CyclicBarrier {
    return new CyclicBarrier(this.#parts.connection, place, options);
  }

  /** Opens once `count` have arrived, and stays open. No I/O. @throws TypeError, RangeError for a bad name or count */
  latch(place: Place, options: LatchOptions): CountDownLatch {
    return new CountDownLatch(this.#parts.connection, place, options);
  }

  /** A number that all add to. No I/O. @throws TypeError, RangeError for a bad name */
  counter(name: string): Counter {
    return new Counter(this.#parts.connection, name);
  }

  /** Numbers that no two get. No I/O. @throws TypeError, RangeError for a bad name or option */
  ids(name: string, options: IdsOptions = {}): Ids {
    return new Ids(this.#parts.connection, name, options);
  }

  /** A queue of jobs whose values a schema checks. No I/O. @throws TypeError, RangeError for a bad name or option */
  queue<Schema extends StandardSchema>(
    name: string,
    options: QueueOptions<Schema> & { readonly schema: Schema },
  ): Queue<Schema>;
  /** A queue of jobs; `Value` is what its programs have agreed on, nothing checks it. */
  queue<Value = unknown>(name: string, options?: Omit<QueueOptions, 'schema'>): Queue<StandardSchema<Value>>;
  /** A queue shared with programs in Go (`recipes.Queue`), at most once. No I/O. @throws TypeError for a bad path */
  queue(place: { readonly path: string }, options?: { readonly prioritized?: false }): RecipeQueue;
  /** The same with priorities (`recipes.PriorityQueue`). */
  queue(place: { readonly path: string }, options: { readonly prioritized: true }): RecipePriorityQueue;
  queue(
    place: Place,
    options: QueueOptions & { readonly prioritized?: boolean } = {},
  ): Queue | RecipeQueue | RecipePriorityQueue {
    const { connection } = this.#parts;
    if (typeof place === 'string') return new Queue(connection, place, options);
    checkOptions(options, ['prioritized'], 'queue({ path })');
    return options.prioritized
      ? new RecipePriorityQueue(connection, place.path)
      : new RecipeQueue(connection, place.path);
  }

  /** As `atomically(conclave.store, body)`, but done once whatever becomes of an answer: with a receipt, under the session. @throws SessionLostError in `withSession` */
  atomically<T>(body: (txn: Transaction) => T | Promise<T>, options: AtomicOptions = {}): Promise<T> {
    return atomicallyOnce(this.#parts.connection, body, options);
  }

  /**
   * Every line of this namespace in which somebody stands, by kind and name. Pages through the store.
   *
   * @throws TypeError for an unknown kind
   */
  async *list(options: ListOptions = {}): AsyncGenerator<ListEntry, void, undefined> {
    yield* listLines(this.#parts.connection, options);
  }

  /**
   * Asks all who hold it at the moment to give it back: each sees `hold.releaseRequested` abort. Whether they do is for them
   * to say; nobody is asked twice for the same hold, and never a later holder in the place of an earlier one. What was asked
   * stands until the holder has released, or until the session of this Conclave ends.
   *
   * @returns those who were asked; empty if nobody holds it
   * @throws UnsupportedError if a holder is another program (Go, etcdctl), which cannot be asked: then nobody is; see
   * `forceRelease`
   * @throws UnavailableError if the store does not answer within `dialTimeoutMs`; OutcomeUnknownError, SessionLostError:
   * some may have been asked. Asking again does no harm
   * @throws TypeError, RangeError for bad arguments, before any I/O
   */
  async requestRelease(
    kind: LineKind,
    place: Place,
    options: RequestReleaseOptions = {},
  ): Promise<TicketInfo[]> {
    return requestRelease(this.#parts.connection, kind, place, options);
  }

  /**
   * Takes a ticket away, whether its owner likes it or not: the last resort, when a holder neither answers nor dies. The
   * next in line has the lock at once. The owner learns of it as fast as its watch tells, and may write until then, and
   * later if it is stopped: only a fence in the data path (`guard()`, `fencingToken`) keeps that out.
   *
   * Hits the ticket that was seen, or none: never one that has come in its place.
   *
   * @returns whom it hit; undefined if nobody stood there, or if that ticket was gone
   * @throws OutcomeUnknownError if it could not be found out in time whether it was done, or if the store is over its quota;
   * UnavailableError, SessionLostError, AuthError: nothing was done
   * @throws TypeError, RangeError for bad arguments, before any I/O
   */
  async forceRelease(
    kind: LineKind,
    place: Place,
    options: ForceReleaseOptions = {},
  ): Promise<TicketInfo | undefined> {
    return forceRelease(this.#parts.connection, kind, place, options);
  }

  /**
   * For probes: whether the store answers, and how this process is doing. Never rejects because of either; after `close`
   * it sends nothing.
   *
   * @throws TypeError, RangeError for bad options
   */
  async health(options: HealthOptions = {}): Promise<Health> {
    return healthOf(this.#parts.connection, options);
  }

  /**
   * A Conclave over the same store with a session of its own, open when this resolves. When that is lost it stays lost:
   * for work that must all stand or fall together, or needs another TTL. Closing it ends only that; closing this one
   * closes it too.
   *
   * @throws UnavailableError after `dialTimeoutMs`; RangeError for a bad TTL, before any I/O
   */
  async withSession(options: { readonly ttlMs?: number } = {}): Promise<SessionConclave> {
    checkOptions(options, ['ttlMs'], 'withSession');
    const { connection } = this.#parts;
    const { ttlMs = connection.options.ttlMs } = options;
    const own = await connection.withSession(checkTtl(ttlMs));
    return new SessionConclave({ connection: own.connection, closeStore: async () => {} }, own.session);
  }

  /**
   * Refuses new calls (`ClosedError`), rejects waiters, tells running callbacks to stop while their keys still stand, waits
   * for them, gives everything back by delete. What still runs after `drainTimeoutMs` keeps its key until its lease ends.
   * Leaves no socket, and no timer that keeps the process alive. Idempotent.
   *
   * @throws RangeError for a bad `drainTimeoutMs`; then nothing is closed
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkOptions(options, ['drainTimeoutMs'], 'close');
    this.#closed ??= this.#parts.connection.close(options).then(() => this.#parts.closeStore());
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A Conclave bound to one session. After its loss every call that needs it rejects with `SessionLostError`. */
export class SessionConclave extends Conclave {
  readonly leaseId: bigint;
  /** Aborts with `SessionLostError` when the session is over. */
  readonly signal: AbortSignal;
  readonly #session: Session;

  constructor(parts: Parts, session: Session) {
    super(parts);
    this.#session = session;
    this.leaseId = session.leaseId;
    this.signal = session.signal;
  }

  /** Judged locally, by the clock, on the safe side. */
  isValid(): boolean {
    return this.#session.isValid();
  }
}
