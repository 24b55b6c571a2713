import { hostname } from 'node:os';
import { checkNamespace, type Place } from './base/keys.js';
import { checkOptions } from './base/wait.js';
import { type FoundationOptions, checkTtl, heartbeatOf, keepProcessAlive } from './conclave-options.js';
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
import { Store } from './store/store.js';
import type { Transport } from './store/transport.js';
import { Primitives } from './primitives.js';

/**
 * A connection to a store, and the primitives on it. One per process is enough: all share one session, opened by the
 * first call that creates something, kept alive in the background, and opened anew after a loss.
 *
 * Close it, or dispose of it: an open Conclave on etcd keeps the process alive.
 */
export class Conclave extends Primitives implements AsyncDisposable {
  /** The key-value store below: read, write, watch, and guard transactions with `hold.guard()`. */
  readonly store: Store;
  /** Closes what was opened for this Conclave alone. */
  readonly #closeStore: () => Promise<void>;
  #closed: Promise<void> | undefined;

  /** For `connect` and for simulations: over any transport. No I/O. @throws TypeError, RangeError for bad options */
  static over(transport: Transport, options: FoundationOptions): Conclave {
    const { runtime, namespace = 'conclave', sessionTtlMs = 15_000, dialTimeoutMs = 5_000 } = options;
    checkNamespace(namespace);
    if (options.holder !== undefined && typeof options.holder !== 'string')
      throw new TypeError('holder must be a string');
    const { host, pid } = options.process ?? { host: hostname(), pid: process.pid };
    const name = options.holder ?? `${host}:${pid}`;
    const watchHeartbeatMs = heartbeatOf(checkTtl(sessionTtlMs));
    const store = new Store(transport, { runtime, timeoutMs: dialTimeoutMs, watchHeartbeatMs });
    const holder = { name, host, pid, ns: namespace };
    const connection = new Connection(store, { runtime, namespace, ttlMs: sessionTtlMs, holder });
    const keeper = options.keepsAlive ? keepProcessAlive(runtime) : undefined;
    return new Conclave(connection, async () => {
      await store.close();
      keeper?.cancel();
    });
  }

  protected constructor(connection: Connection, closeStore: () => Promise<void>) {
    super(connection);
    this.store = connection.store;
    this.#closeStore = closeStore;
  }

  /** First part of every key. */
  get namespace(): string {
    return this.connection.namespace;
  }

  /**
   * Every line of this namespace in which somebody stands, by kind and name. Pages through the store.
   *
   * @throws TypeError for an unknown kind
   */
  async *list(options: ListOptions = {}): AsyncGenerator<ListEntry, void, undefined> {
    yield* listLines(this.connection, options);
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
    return requestRelease(this.connection, kind, place, options);
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
    return forceRelease(this.connection, kind, place, options);
  }

  /**
   * For probes: whether the store answers, and how this process is doing. Never rejects because of either; after `close`
   * it sends nothing.
   *
   * @throws TypeError, RangeError for bad options
   */
  async health(options: HealthOptions = {}): Promise<Health> {
    return healthOf(this.connection, options);
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
    const { connection } = this;
    const { ttlMs = connection.options.ttlMs } = options;
    const own = await connection.withSession(checkTtl(ttlMs));
    return new SessionConclave(own.connection, own.session);
  }

  /**
   * Refuses new calls (`ClosedError`), rejects waiters, tells running callbacks to stop while their keys still stand, waits
   * for them, gives everything back by delete. What still runs after `drainTimeoutMs` keeps its key until its lease ends.
   * Leaves no timer that keeps the process alive, and no socket but of a dial that the network swallows: the kernel gives it
   * up after about two minutes. Idempotent.
   *
   * @throws RangeError for a bad `drainTimeoutMs`; then nothing is closed
   */
  async close(options: CloseOptions = {}): Promise<void> {
    checkOptions(options, ['drainTimeoutMs'], 'close');
    this.#closed ??= this.connection.close(options).then(() => this.#closeStore());
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

  constructor(connection: Connection, session: Session) {
    super(connection, async () => {});
    this.#session = session;
    this.leaseId = session.leaseId;
    this.signal = session.signal;
  }

  /** Judged locally, by the clock, on the safe side. */
  isValid(): boolean {
    return this.#session.isValid();
  }
}
