import { report } from '../base/diagnostics.js';
import {
  ClosedError,
  CompactedError,
  type ConclaveError,
  isConclaveError,
  NotFoundError,
  SessionLostError,
  type SessionLostReason,
} from '../base/errors.js';
import { sessionKey, ticketName } from '../base/keys.js';
import { retry } from '../base/retry.js';
import type { Runtime, Timer } from '../base/runtime.js';
import { raceSignal } from '../base/wait.js';
import type { KeptLease, Renewal } from '../store/keep-alive.js';
import { compare, get, prefix, put } from '../store/operations.js';
import type { KeyValue, StoreEvent } from '../store/results.js';
import type { Store } from '../store/store.js';
import type { Watch } from '../store/watch-hub.js';
import { Deadline } from './deadline.js';
import { Epoch } from './epoch.js';
import type { Holder } from './ticket-value.js';

export interface SessionOptions {
  readonly runtime: Runtime;
  readonly namespace: string;
  /** Whole seconds, in milliseconds. */
  readonly ttlMs: number;
  /** Shown to others as who holds or waits. */
  readonly holder: Holder;
}

/** Something that ends with its session and that the store may remove by itself: a hold on a ticket. */
export interface Dependent {
  readonly key: string;
  readonly createRevision: bigint;
  /** Asks it to end; resolves (never rejects) once its key has been given back. */
  stop(reason: Error): Promise<void>;
  /** The session is over. Called synchronously. */
  sessionLost(error: SessionLostError): void;
  /** The key was found missing. */
  keyGone(): void;
}

/** Past its deadline by this much without the timer having fired: the process did not run. */
const stallMs = 250;
const minRecheckMs = 10_000;
const recheckKeysPerTxn = 100;

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
  readonly store: Store;
  /** Aborts with `SessionLostError` when the session is over. */
  readonly signal: AbortSignal;

  readonly #runtime: Runtime;
  readonly #deadline: Deadline;
  readonly #over = new AbortController();
  readonly #dependents = new Set<Dependent>();
  readonly #chores = new Set<Promise<void>>();
  readonly #createRevision: bigint;
  readonly #kept: KeptLease;
  #watch: Watch | undefined;
  #deadlineTimer: Timer | undefined;
  #recheckTimer: Timer | undefined;
  #renewalWaiters: (() => void)[] = [];
  #askedForRenewal = false;
  #ticketCounter = 0;

  /**
   * Grants the lease and puts the session's key: two round trips.
   *
   * @throws UnavailableError, OutcomeUnknownError if the store does not answer in time; nothing is left behind for longer
   * than one TTL
   */
  static async open(store: Store, options: SessionOptions): Promise<Session> {
    const { runtime, namespace, ttlMs, holder } = options;
    const lease = await store.lease.grant({ ttlSeconds: ttlMs / 1_000 });
    const key = sessionKey(namespace, lease.id);
    runtime.probe('session.granted');
    try {
      const deadline = new Deadline(runtime, lease);
      const value = JSON.stringify({ v: 1, holder });
      const kv = await retry(runtime, () => createKey(store, key, value, lease.id), {
        again: (error) => isConclaveError(error, 'OUTCOME_UNKNOWN') && !deadline.isPast(),
      });
      return new Session(store, options, lease.id, kv, deadline);
    } catch (error) {
      store.lease.revoke(lease.id).catch(() => {}); // It ends by itself in one TTL.
      throw error;
    }
  }

  private constructor(
    store: Store,
    options: SessionOptions,
    leaseId: bigint,
    kv: Pick<KeyValue, 'createRevision' | 'modRevision'>,
    deadline: Deadline,
  ) {
    this.store = store;
    this.options = options;
    this.leaseId = leaseId;
    this.key = sessionKey(options.namespace, leaseId);
    this.signal = this.#over.signal;
    this.#runtime = options.runtime;
    this.#deadline = deadline;
    this.#createRevision = kv.createRevision;
    const onGone = (): void => this.#lose('revoked');
    this.epoch = new Epoch(store, this.#runtime, { key: this.key, leaseId, kv, ended: this.signal, onGone });
    this.#kept = store.lease.keep(leaseId, deadline.ttlMs, {
      renewed: (renewal) => this.#renewed(renewal),
      gone: onGone,
      mayRenew: () => this.isAlive(),
    });
    // From the revision after its creation: no gap in which a deletion could go unseen.
    this.#watchSelf(kv.createRevision + 1n);
    this.#scheduleDeadline();
    this.#scheduleRecheck();
    report('conclave:session-opened', () => ({ leaseId, ttlMs: deadline.ttlMs }));
  }

  get ttlMs(): number {
    return this.#deadline.ttlMs;
  }

  /** How long a request that belongs to this session may stay unanswered before its fate counts as open. */
  get requestTimeoutMs(): number {
    return Math.max(500, Math.min(5_000, this.ttlMs / 3));
  }

  get marginMs(): number {
    return this.#deadline.marginMs;
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
    if (!this.#deadline.isSuspect()) return true;
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

  /** Resolves once the session is valid; at once in the usual case. @throws SessionLostError, or the signal's reason */
  async untilValid(signal: AbortSignal): Promise<void> {
    while (!this.isValid()) {
      this.assertAlive();
      await raceSignal(new Promise<void>((resolve) => this.#renewalWaiters.push(resolve)), signal);
    }
  }

  /** Asks the store whether the session is still there, and draws the consequences. Never rejects. */
  async confirm(): Promise<void> {
    await this.#recheck();
  }

  nextTicketName(): string {
    return ticketName(this.leaseId, ++this.#ticketCounter);
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
    const stopping = [...this.#dependents].map((dependent) => dependent.stop(reason));
    const drained = Promise.all(stopping).then(() => Promise.all(this.#chores));
    const timeout = new AbortController();
    const timer = this.#runtime.setTimer(drainTimeoutMs, () => timeout.abort());
    await raceSignal(drained, timeout.signal).catch(() => {});
    timer.cancel();
    if (this.#dependents.size > 0) {
      this.#abandon();
    } else {
      this.#lose('closed');
      await this.#revoke();
    }
  }

  #abandon(): void {
    this.#kept.stop();
    this.#watch?.cancel();
    this.#recheckTimer?.cancel();
  }

  #renewed(renewal: Renewal): void {
    // Too late is too late, even if the answer says otherwise: somebody may have been told already.
    if (!this.isAlive()) return;
    this.#deadline.renewed(renewal);
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
    const error = lostError(this, reason);
    this.#kept.stop();
    this.#watch?.cancel();
    this.#deadlineTimer?.cancel();
    this.#recheckTimer?.cancel();
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
    const delayMs = this.#deadline.at + this.marginMs - this.#runtime.now();
    this.#runtime.setTimer(Math.max(0, delayMs), () => void this.#revoke(), { background: true });
  }

  async #revoke(): Promise<void> {
    await retry(this.#runtime, () => this.store.lease.revoke(this.leaseId), {
      again: (error, attempt) =>
        attempt < 5 && (isConclaveError(error, 'OUTCOME_UNKNOWN') || isConclaveError(error, 'UNAVAILABLE')),
    }).catch(() => {});
  }

  #watchSelf(startRevision: bigint): void {
    this.#watch = this.store.listen(
      prefix(this.key),
      { startRevision },
      {
        created: () => {},
        events: (_revision, events) => {
          if (events.some((event) => this.#isEnd(event))) this.#lose('revoked');
        },
        ended: (error) => this.#watchEnded(error),
      },
    );
  }

  #isEnd({ type, kv }: StoreEvent): boolean {
    return type === 'delete' && Buffer.from(kv.key).toString() === this.key;
  }

  #watchEnded(error: ConclaveError): void {
    if (this.signal.aborted || error instanceof ClosedError) return;
    // What happened in between is found by looking; then the watch goes on from there.
    if (error instanceof CompactedError) void this.#recheck().then((revision) => this.#rewatch(revision));
    // Anything else (permission withdrawn): the deadline and the slow re-check still protect.
  }

  #rewatch(revision: bigint | undefined): void {
    if (this.signal.aborted) return;
    this.#watchSelf((revision ?? this.#createRevision) + 1n);
  }

  #scheduleRecheck(): void {
    const delayMs = Math.max(this.ttlMs, minRecheckMs);
    this.#recheckTimer = this.#runtime.setTimer(
      delayMs,
      () => void this.#recheck().then(() => (this.signal.aborted ? undefined : this.#scheduleRecheck())),
      { background: true },
    );
  }

  /**
   * One read-only transaction per hundred held tickets: is everything still there? Catches what no event told.
   *
   * @returns the revision of the answer, if there was one
   */
  async #recheck(): Promise<bigint | undefined> {
    const dependents = [...this.#dependents];
    let revision: bigint | undefined;
    for (let from = 0; from === 0 || from < dependents.length; from += recheckKeysPerTxn) {
      const some = dependents.slice(from, from + recheckKeysPerTxn);
      const ops = some.map(({ key }) => get(key, { keysOnly: true }));
      const answer = await this.store
        .txn({ then: [get(this.key, { keysOnly: true }), ...ops] })
        .catch(() => undefined);
      if (!answer || this.signal.aborted) return revision;
      revision = answer.header.revision;
      const [self, ...kvs] = answer.responses.map(({ kvs }) => kvs[0]);
      // A stale answer, from before the session, proves nothing (etcd 3.4.20-3.4.41 can give one).
      if (revision < this.#createRevision) return undefined;
      if (self?.createRevision !== this.#createRevision) {
        this.#lose('revoked');
        return revision;
      }
      some.forEach((dependent, i) => {
        if (answer.header.revision < dependent.createRevision || !this.#dependents.has(dependent)) return;
        if (kvs[i]?.createRevision !== dependent.createRevision) dependent.keyGone();
      });
    }
    return revision;
  }
}

async function createKey(
  store: Store,
  key: string,
  value: string,
  lease: bigint,
): Promise<Pick<KeyValue, 'createRevision' | 'modRevision'>> {
  const answer = await store.txn({
    if: [compare.createRevision(key, '=', 0n)],
    then: [put(key, value, { lease })],
    else: [get(key)],
  });
  if (answer.succeeded)
    return { createRevision: answer.header.revision, modRevision: answer.header.revision };
  const kv = answer.responses[0].kvs[0];
  if (kv?.lease !== lease) throw new NotFoundError(`session key ${key} belongs to another lease`);
  return kv;
}

function lostError(session: Session, reason: SessionLostReason): SessionLostError {
  const why = {
    expired: 'no renewal was answered in time',
    revoked: 'the store removed its lease',
    stalled:
      'this process did not run past its deadline (blocked event loop, stopped process, suspended machine)',
    closed: 'it was closed',
  }[reason];
  const key = session.key;
  return new SessionLostError(`session ${key} (TTL ${session.ttlMs} ms) is over: ${why}`, reason);
}
