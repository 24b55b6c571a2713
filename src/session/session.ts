import { setMaxListeners } from 'node:events';
import { report } from '../base/diagnostics.js';
import { isConclaveError, SessionLostError, type SessionLostReason } from '../base/errors.js';
import { receiptPrefix, sessionKey, ticketName } from '../base/keys.js';
import { retry } from '../store/retry.js';
import { type Runtime, sleep, type Timer } from '../base/runtime.js';
import { raceSignal, settledWithin } from '../base/wait.js';
import type { KeptLease, Renewal } from '../store/keep-alive.js';
import type { Store } from '../store/store.js';
import { Deadline } from './deadline.js';
import { Epoch } from './epoch.js';
import { openLease, type Origin, type SessionOptions } from './open-lease.js';
import { type Dependent, Lookout } from './lookout.js';
import { News } from './news.js';
import { Receipts } from './receipts.js';

/** Past its deadline by this much and no timer has fired: the process did not run. */
const stallMs = 250;

const whyLost: Readonly<Record<SessionLostReason, string>> = {
  expired: 'no renewal was answered in time',
  revoked: 'the store removed its lease',
  stalled:
    'this process did not run past its deadline (blocked event loop, stopped process, suspended machine)',
  closed: 'it was closed',
};

interface SessionParts {
  readonly store: Store;
  readonly options: SessionOptions;
  readonly closed: AbortSignal;
}

/**
 * A lease, kept alive, and the proof of it: everything this process owns in the store hangs on one.
 *
 * valid -> suspect (the wall clock ran ahead: the machine may have slept; no grants until a renewal sent after that is
 * answered) -> valid or lost. Lost is final, and is signalled before the store can give anything of it away, unless the
 * store removes the lease early by its own fault: against that only a fence in the data path helps.
 */
export class Session {
  readonly leaseId: bigint;
  readonly key: string;
  readonly options: SessionOptions;
  readonly epoch: Epoch;
  readonly receipts: Receipts;
  readonly news: News = new News();
  readonly store: Store;
  /** Aborts with `SessionLostError` when the session is over. */
  readonly signal: AbortSignal;

  readonly #runtime: Runtime;
  readonly #deadline: Deadline;
  readonly #over = new AbortController();
  readonly #dependents = new Set<Dependent>();
  readonly #chores = new Set<Promise<void>>();
  readonly #kept: KeptLease;
  readonly #lookout: Lookout;
  readonly #closed: AbortSignal;
  #deadlineTimer: Timer | undefined;
  #renewalWaiters: (() => void)[] = [];
  #askedForRenewal = false;
  /** There is a new leader, who has not renewed the lease yet: the one before may have done so without effect. */
  #isDoubted = false;
  #ticketCounter = 0;

  /**
   * Grants the lease and puts the session's key: two round trips.
   *
   * @param closed aborts when nothing is to be done any more
   * @throws UnavailableError if the store does not answer in time; nothing is left behind for longer than one TTL
   */
  static async open(store: Store, options: SessionOptions, closed: AbortSignal): Promise<Session> {
    const { lease, kv } = await openLease(store, options);
    return new Session({ store, options, closed }, lease.id, kv, new Deadline(options.runtime, lease));
  }

  private constructor(parts: SessionParts, leaseId: bigint, kv: Origin, deadline: Deadline) {
    const { store, options } = parts;
    this.store = store;
    this.options = options;
    this.leaseId = leaseId;
    this.#closed = parts.closed;
    this.key = sessionKey(options.namespace, leaseId);
    this.receipts = new Receipts(receiptPrefix(options.namespace, leaseId));
    this.signal = this.#over.signal;
    setMaxListeners(0, this.signal); // every waiter and every request listens: many are no leak
    this.#runtime = options.runtime;
    this.#deadline = deadline;
    const onGone = (): void => this.#lose('revoked');
    this.epoch = new Epoch(store, this.#runtime, {
      key: this.key,
      leaseId,
      kv,
      requestTimeoutMs: this.requestTimeoutMs,
      ended: this.signal,
      onGone,
    });
    this.#kept = store.lease.keep(leaseId, deadline, {
      renewed: (renewal) => this.#renewed(renewal),
      doubted: () => void (this.#isDoubted = true),
      gone: onGone,
      mayRenew: () => this.isAlive(),
    });
    this.#lookout = new Lookout(store, this.#runtime, {
      key: this.key,
      createRevision: kv.createRevision,
      intervalMs: deadline.ttlMs,
      dependents: this.#dependents,
      news: this.news,
      onGone,
    });
    this.#scheduleDeadline();
    report('conclave:session-opened', () => ({ leaseId, ttlMs: deadline.ttlMs }));
  }

  get ttlMs(): number {
    return this.#deadline.ttlMs;
  }

  /** How long a request that belongs to this session may stay unanswered before its fate counts as open. */
  get requestTimeoutMs(): number {
    return Math.max(500, Math.min(5_000, this.ttlMs / 3));
  }

  /** Milliseconds until the session counts as lost if no renewal is answered; 0 once it is. */
  get remainingMs(): number {
    return this.signal.aborted ? 0 : Math.max(0, this.#deadline.at - this.#runtime.now());
  }

  /**
   * Whether what the session owns can be trusted right now. Looks at the clock: if the deadline has passed, the session
   * is lost and every signal has aborted before this returns, whatever answers lie unread in a socket.
   */
  isValid(): boolean {
    if (!this.isAlive()) return false;
    if (!this.#deadline.isSuspect() && !this.#isDoubted) return true;
    if (!this.#askedForRenewal) {
      this.#askedForRenewal = true;
      this.#kept.renewNow();
    }
    return false;
  }

  /** Not lost; perhaps suspect. Looks at the clock as `isValid` does. */
  isAlive(): boolean {
    if (this.signal.aborted) return false;
    if (!this.#deadline.isPast()) return true;
    const lateMs = this.#runtime.now() - this.#deadline.at;
    this.#lose(lateMs > stallMs ? 'stalled' : 'expired');
    return false;
  }

  /** @throws SessionLostError */
  assertAlive(): void {
    if (!this.isAlive()) throw this.signal.reason;
  }

  /** At once in the usual case. @throws SessionLostError, or the signal's reason */
  async untilValid(signal: AbortSignal): Promise<void> {
    while (!this.isValid()) {
      this.assertAlive();
      await raceSignal(new Promise<void>((resolve) => this.#renewalWaiters.push(resolve)), signal);
    }
  }

  /** Asks the store whether the session is still there, and draws the consequences. Never rejects. */
  async confirm(): Promise<void> {
    await this.#lookout.look();
  }

  /**
   * Whoever uses it ends its `news` once no ticket of this name stands any more.
   *
   * @param title for messages: what it will be a ticket of
   */
  nextTicketName(title: string): string {
    const name = ticketName(this.leaseId, ++this.#ticketCounter);
    this.news.begin(name, title);
    return name;
  }

  /** Loss will be told to `dependent`, and its key is looked after, until `forget`. */
  remember(dependent: Dependent): void {
    this.#dependents.add(dependent);
  }

  forget(dependent: Dependent): void {
    this.#dependents.delete(dependent);
  }

  /** Work that goes on in the background and that `close` waits for. It must not reject. */
  chore(work: Promise<void>): void {
    this.#chores.add(work);
    void work.finally(() => this.#chores.delete(work));
  }

  /** The session key is known to be gone: nothing of this session can be applied any more. */
  gone(): void {
    this.#lose('revoked');
  }

  /**
   * Ends the session in order: asks what depends on it to stop, waits until each has given back its key (by delete) and
   * until background work is done, then revokes the lease, which kills every request of it still on its way.
   *
   * What has not stopped after `drainTimeoutMs` keeps its key: the lease is then not revoked, only no longer renewed.
   * Never rejects; if the store is away, the lease runs out by itself.
   */
  async close(reason: Error, drainTimeoutMs: number): Promise<void> {
    if (!this.isAlive()) return;
    const running = new Set(this.#dependents);
    const stopping = [...running].map(async (dependent) => {
      await dependent.stop(reason);
      running.delete(dependent);
    });
    const drained = Promise.all(stopping).then(() => Promise.all(this.#chores));
    await settledWithin(this.#runtime, drained, drainTimeoutMs);
    // Not `#dependents`: a session lost meanwhile has forgotten them, but its margin belongs to whoever still runs.
    if (running.size > 0) {
      this.#abandon();
    } else {
      this.#lose('closed');
      await this.#revoke();
    }
  }

  #abandon(): void {
    this.#kept.stop();
    this.#lookout.stop();
  }

  #renewed(renewal: Renewal): void {
    // Too late is too late, even if the answer says otherwise: somebody may have been told already.
    if (!this.isAlive()) return;
    this.#deadline.renewed(renewal);
    this.#isDoubted = false;
    if (this.#askedForRenewal) this.#runtime.probe('session.recovered');
    this.#askedForRenewal = false;
    this.#scheduleDeadline();
    for (const wake of this.#renewalWaiters.splice(0)) wake();
  }

  #scheduleDeadline(): void {
    this.#deadlineTimer?.cancel();
    const delayMs = this.#deadline.at - this.#runtime.now();
    this.#deadlineTimer = this.#runtime.setTimer(
      delayMs,
      () => {
        if (this.isAlive()) this.#scheduleDeadline();
      },
      { background: true },
    );
  }

  #lose(reason: SessionLostReason): void {
    if (this.signal.aborted) return;
    const error = new SessionLostError(
      `session ${this.key} (TTL ${this.ttlMs} ms) is over: ${whyLost[reason]}`,
      reason,
    );
    this.#kept.stop();
    this.#lookout.stop();
    this.#deadlineTimer?.cancel();
    this.#over.abort(error);
    for (const dependent of [...this.#dependents]) dependent.sessionLost(error);
    this.#dependents.clear();
    for (const wake of this.#renewalWaiters.splice(0)) wake();
    report('conclave:session-lost', () => ({ leaseId: this.leaseId, reason }));
    if (reason === 'expired' || reason === 'stalled') this.#revokeLater();
  }

  /**
   * Lost by the clock alone: the lease is removed once it would have run out anyway, so that nobody waits for one that a
   * leader change has prolonged. Not sooner: the margin belongs to whoever has to stop.
   */
  #revokeLater(): void {
    const delayMs = this.#deadline.at + this.#deadline.marginMs - this.#runtime.now();
    const pause = { background: true, signal: this.#closed };
    sleep(this.#runtime, Math.max(0, delayMs), pause).then(
      () => this.#revoke(),
      () => {}, // closed meanwhile: it runs out by itself
    );
  }

  /** Tries for as long as a request may take: without an answer the lease runs out by itself. */
  async #revoke(): Promise<void> {
    const until = this.#runtime.now() + this.requestTimeoutMs;
    const attempt = (): Promise<unknown> =>
      this.store.lease.revoke(this.leaseId, { timeoutMs: Math.max(0, until - this.#runtime.now()) });
    await retry(this.#runtime, attempt, {
      until,
      again: (error) =>
        this.#runtime.now() < until &&
        (isConclaveError(error, 'OUTCOME_UNKNOWN') || isConclaveError(error, 'UNAVAILABLE')),
    }).catch(() => {});
  }
}
