import { setMaxListeners } from 'node:events';
import { Mutex } from 'async-mutex';
import { ClosedError } from '../base/errors.js';
import type { Runtime } from '../base/runtime.js';
import { checkTimeout, settledWithin } from '../base/wait.js';
import type { Store } from '../store/store.js';
import { LineViews } from './line-view.js';
import { LocalQueues } from './local-queue.js';
import type { SessionOptions } from './open-lease.js';
import { SeenMarkers } from './seen-markers.js';
import { Session } from './session.js';

export interface CloseOptions {
  /** How long running callbacks are waited for, milliseconds. @default 10000 */
  readonly drainTimeoutMs?: number;
}

const defaultDrainTimeoutMs = 10_000;

/**
 * What all primitives of one Conclave share: the store, the session, the views of lines, and the end of it all.
 *
 * The session is opened by the first that needs it, once for all, and anew after a loss. A lost session never comes back.
 */
export class Connection {
  readonly store: Store;
  readonly options: SessionOptions;
  readonly views: LineViews;
  readonly queues: LocalQueues = new LocalQueues();
  readonly seenMarkers: SeenMarkers;
  /** Aborts with `ClosedError` when no new call is accepted any more. */
  readonly closing: AbortSignal;
  /** Aborts when `close` has waited for callbacks as long as it does. */
  readonly closed: AbortSignal;

  readonly #closer = new AbortController();
  readonly #closedController = new AbortController();
  readonly #opening = new Mutex();
  readonly #parent: Connection | undefined;
  /** From before their session is open until they are closed. */
  readonly #children = new Set<Connection>();
  readonly #bodies = new Set<Promise<void>>();
  #session: Session | undefined;
  #closed: Promise<void> | undefined;

  /** @param parent this connection is for one session, closes with `parent`, and opens no other after a loss */
  constructor(store: Store, options: SessionOptions, parent?: Connection) {
    this.store = store;
    this.options = options;
    this.views = new LineViews(store, options.runtime);
    this.closing = this.#closer.signal;
    this.closed = this.#closedController.signal;
    setMaxListeners(0, this.closing, this.closed); // every waiter listens: many are no leak
    this.seenMarkers = parent?.seenMarkers ?? new SeenMarkers();
    this.#parent = parent;
  }

  get runtime(): Runtime {
    return this.options.runtime;
  }

  get namespace(): string {
    return this.options.namespace;
  }

  /** No other session is opened once its own is lost. */
  get isForOneSession(): boolean {
    return this.#parent !== undefined;
  }

  /** The living session, if one is open. Looks at the clock. */
  get openSession(): Session | undefined {
    return this.#session?.isAlive() ? this.#session : undefined;
  }

  /**
   * The living session, opened if there is none.
   *
   * @throws ClosedError; UnavailableError if one cannot be opened in time; SessionLostError if this
   * connection was made for one session and that is lost
   */
  async session(): Promise<Session> {
    this.closing.throwIfAborted();
    if (this.#session?.isAlive()) return this.#session;
    if (this.#session && this.#parent) throw this.#session.signal.reason;
    return this.#opening.runExclusive(async () => {
      // Whoever waited here finds what the first one opened.
      if (this.#session?.isAlive()) return this.#session;
      this.closing.throwIfAborted();
      this.#session = await Session.open(this.store, this.options, this.closed);
      return this.#session;
    });
  }

  /** A connection over the same store with a session of its own, open when this resolves. */
  async withSession(ttlMs: number): Promise<{ connection: Connection; session: Session }> {
    this.closing.throwIfAborted();
    const connection = new Connection(this.store, { ...this.options, ttlMs }, this);
    this.#children.add(connection);
    try {
      const session = await connection.session();
      connection.closing.throwIfAborted(); // closed while the session was being opened
      return { connection, session };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  /** Takes note of a callback that runs under a hold, or of what is to be found out: `close` waits for it. @returns `body` */
  track<T>(body: Promise<T>): Promise<T> {
    const over = body.then(
      () => {},
      () => {},
    );
    this.#bodies.add(over);
    void over.then(() => this.#bodies.delete(over));
    return body;
  }

  /**
   * Refuses new calls, rejects waiters, tells callbacks to stop and waits for them, gives everything back by delete.
   * Idempotent; never rejects. The store stays open: whoever opened it closes it.
   */
  close({ drainTimeoutMs = defaultDrainTimeoutMs }: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(checkTimeout(drainTimeoutMs, 'drainTimeoutMs'));
    return this.#closed;
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    const reason = new ClosedError('this Conclave has been closed');
    const children = [...this.#children];
    this.#closer.abort(reason);
    await Promise.all([
      ...children.map((child) => child.close({ drainTimeoutMs })),
      this.#closeSession(reason, drainTimeoutMs),
      // Also those whose session is lost: they have been told to stop, and need the time to do so.
      settledWithin(this.runtime, Promise.all(this.#bodies), drainTimeoutMs),
    ]);
    this.#closedController.abort(reason);
    if (this.#parent) this.#parent.#children.delete(this);
  }

  async #closeSession(reason: Error, drainTimeoutMs: number): Promise<void> {
    // One that is being opened right now is waited for, or nobody would close it.
    await this.#opening.waitForUnlock();
    await this.#session?.close(reason, drainTimeoutMs);
  }
}
