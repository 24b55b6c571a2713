import { setMaxListeners } from 'node:events';
import { report } from '../base/diagnostics.js';
import { HoldLostError } from '../base/errors.js';
import { abortWith } from '../base/wait.js';
import type { Compare, Op } from '../store/operations.js';
import type { Answer, TxnResult } from '../store/results.js';
import type { Admitted } from './admitted.js';
import type { Demand } from './demand.js';
import { refusedCommit, suspicion, unknownCommit } from './hold-errors.js';
import type { Dependent } from './lookout.js';
import type { TicketNews } from './news.js';
import { type Granted, runUnder } from './scope.js';
import type { Ticket } from './ticket.js';

/**
 * What every grant gives: the proof of it, the news of its loss, and the way to give it back.
 *
 * Guarantees: `signal` aborts, and `isHeld()` is false, before the store can give the same thing to somebody else, as
 * far as clocks and a sane store go.
 *
 * Not guaranteed: that nobody else holds it while this process writes somewhere. It may be stopped between the check and
 * the write, and a stalled etcd leader may end a lease early. Only the place that is written to can refuse: guard writes
 * to the store with `guard()` or `commit()`, and have other databases keep the highest `fencingToken` they have seen.
 */
export class Hold implements AsyncDisposable {
  readonly key: string;
  /** Larger than that of every earlier holder of the same line. Not comparable between lines. */
  readonly fencingToken: bigint;
  /**
   * Aborts when the hold is lost or may be (`HoldLostError`; its cause says why), and when the program is asked to stop
   * while still holding (on `close()`, with `ClosedError`). Never by a clean release.
   */
  readonly signal: AbortSignal;
  /**
   * Aborts with a `ReleaseRequest` when somebody asks for what is held (`Conclave.requestRelease`): who, why, and how soon.
   * Nothing is taken away; whether to give it back is for the holder to say.
   */
  readonly releaseRequested: AbortSignal;

  /** What it stands on. */
  protected readonly admitted: Admitted;
  readonly #news: TicketNews;
  readonly #grantedAt: number;
  readonly #controller = new AbortController();
  readonly #dependents: readonly Dependent[];
  #state: 'held' | 'released' | 'lost' = 'held';
  #loss: HoldLostError | undefined;
  #releasing: Promise<void> | undefined;
  /** The callback that runs under this hold, if one does. */
  #body: Promise<unknown> | undefined;
  /** What it was exchanged for. */
  #successor: Hold | undefined;

  /** @internal Holds come from the primitives. */
  constructor(admitted: Admitted) {
    const { ticket, waitedMs } = admitted;
    const { session } = ticket;
    session.assertAlive();
    this.admitted = admitted;
    this.key = ticket.key;
    this.fencingToken = ticket.createRevision;
    this.signal = this.#controller.signal;
    setMaxListeners(0, this.signal); // whatever can be interrupted listens: many are no leak
    this.#news = ticket.news;
    this.releaseRequested = this.#news.releaseRequested;
    this.#grantedAt = session.options.runtime.now();
    this.#dependents = ticket.spots.map(({ key }) => ({
      key,
      createRevision: this.fencingToken,
      stop: (reason) => this.#stop(reason),
      sessionLost: (error) => this.#lose(error),
      keyGone: () => this.keyGone(key),
    }));
    for (const dependent of this.#dependents) session.remember(dependent);
    admitted.join();
    session.options.runtime.probe('hold.granted');
    report('conclave:acquired', () => ({ key: this.key, fencingToken: this.fencingToken, waitedMs }));
    if (this.#news.forced) this.#lose(this.#news.forced); // before this hold could be told
  }

  /**
   * Whether it is safe to go on, judged locally and on the safe side. Looks at the clock: after the process was stopped
   * it finds the deadline passed, and has aborted `signal` before it returns. False from the moment `release()` is called.
   */
  isHeld(): boolean {
    this.#noticeLoss();
    return this.#state === 'held' && this.#ticket().session.isValid();
  }

  /** @throws HoldLostError unless `isHeld()` */
  assertHeld(): void {
    if (this.isHeld()) return;
    throw this.#loss ?? this.#notHeld();
  }

  /**
   * For `store.txn`: `if: [...hold.guard()]`. True in the store for exactly as long as the ticket stands there, whatever
   * this process believes. Looks at the clock as `isHeld` does.
   */
  guard(): Compare[] {
    this.isHeld();
    return [...this.#ticket().guards()];
  }

  /**
   * Runs the operations in one transaction, if the ticket still stands.
   *
   * @throws HoldLostError if the hold is known to be lost or released; nothing was sent
   * @throws FencedOutError if the store refused: the hold is lost, nothing was written
   * @throws OutcomeUnknownError if the answer was lost; it may be applied as long as the ticket stands, not after
   */
  async commit<const Ops extends readonly Op[]>(ops: Ops): Promise<Answer<TxnResult<Ops, []>>> {
    const { session } = this.#ticket();
    this.assertStanding();
    const answer = await session.store.txn({ if: this.guard(), then: ops }).catch((error: unknown) => {
      throw unknownCommit(error, this.#title());
    });
    if (answer.succeeded) return answer;
    this.keyGone(
      this.#ticket()
        .spots.map(({ key }) => key)
        .join(' or '),
    );
    throw refusedCommit(this.#title(), this);
  }

  /**
   * Gives it back. Idempotent. Resolves when the store has confirmed it, at the latest when the session's time is over.
   *
   * @throws HoldLostError if it had been lost before: what was done under it may have overlapped with another holder
   * @throws AuthError if a permission was withdrawn; the ticket is removed when that is back, or with the session
   */
  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  /** Releases, but never rejects: it cannot mask the error of the body. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => {});
  }

  toJSON(): { key: string; fencingToken: string } {
    return { key: this.key, fencingToken: String(this.fencingToken) };
  }

  /**
   * Runs `work` under the hold, then releases. Always waits for `work`.
   *
   * @internal
   * @param ending aborts when the callback is to be told to stop
   * @throws the error of `work`; HoldLostError if `work` succeeded but the hold had been lost before it ended
   */
  async during<T>(work: (hold: this) => T | Promise<T>, ending?: AbortSignal): Promise<T> {
    const onEnding = (): void => this.tellToStop(ending?.reason);
    if (ending?.aborted) onEnding();
    // Lost, or told to stop, before it began.
    if (this.signal.aborted) {
      await this[Symbol.asyncDispose]();
      throw this.signal.reason;
    }
    ending?.addEventListener('abort', onEnding, { once: true });
    // An `async` wrapper: a synchronous throw becomes a rejection.
    const body = runUnder(
      () => this.#latest().#granted(),
      async () => work(this),
    );
    this.#runs(body); // it may have become another hold already
    try {
      const result = await body;
      await this.#runs(undefined).release();
      return result;
    } catch (error) {
      await this.#runs(undefined)[Symbol.asyncDispose](); // The body's error is the one to report.
      throw error;
    } finally {
      ending?.removeEventListener('abort', onEnding);
    }
  }

  /**
   * Goes on as `next`, which stands in the line already. The callback under this hold goes on under that one, which is
   * released when it has ended; `signal` and `releaseRequested` speak for both.
   */
  protected async continueAs(next: Hold): Promise<void> {
    this.#successor = next;
    this.#runs(this.#body);
    abortWith(this.#controller, next.signal);
    this.#news.follow(next.#news);
    if (this.signal.aborted) next.tellToStop(this.signal.reason);
    await this.release();
  }

  /** "Stop now", while the key still stands. */
  protected tellToStop(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** A callback runs under it, and will release it. */
  protected get hasBody(): boolean {
    return this.#body !== undefined;
  }

  /** What it may be asked for again as. */
  protected get demand(): Demand | undefined {
    return this.#ticket().request.demand;
  }

  /** As `assertHeld`, but while its session is suspect it stands. @throws HoldLostError */
  protected assertStanding(): void {
    this.#noticeLoss();
    if (this.#state !== 'held') throw this.#loss ?? this.#notHeld();
  }

  protected keyGone(key: string): void {
    this.#lose(this.#news.forced ?? new Error(`ticket ${key} was removed by somebody else`));
  }

  /** What code inside its callback holds. */
  #granted(): Granted | undefined {
    this.#noticeLoss();
    return this.#state === 'held' ? { admitted: this.admitted, demand: this.demand } : undefined;
  }

  /** Itself, or what it was exchanged for. */
  #latest(): Hold {
    return this.#successor ? this.#successor.#latest() : this;
  }

  #ticket(): Ticket {
    return this.admitted.ticket;
  }

  #forget(): void {
    for (const dependent of this.#dependents) this.#ticket().session.forget(dependent);
  }

  /** Notes which callback runs under it, or that it has ended. @returns what it has become: to be given back in the end */
  #runs(body: Promise<unknown> | undefined): Hold {
    this.#body = body;
    return this.#successor ? this.#successor.#runs(body) : this;
  }

  async #release(): Promise<void> {
    this.#noticeLoss();
    if (this.#state === 'lost') throw this.#loss;
    this.#state = 'released';
    this.#ticket().session.options.runtime.probe('hold.release');
    try {
      if (await this.admitted.leave()) {
        report('conclave:released', () => this.#facts());
        return;
      }
    } finally {
      this.#forget();
    }
    const text = `${this.#title()} had been lost before it was released: its ticket was gone`;
    throw new HoldLostError(text, this);
  }

  async #stop(reason: Error): Promise<void> {
    this.tellToStop(reason);
    // A handle has nobody to wait for. A callback is waited for, and releases by itself.
    if (this.#body) await this.#body.catch(() => {});
    await this[Symbol.asyncDispose]();
  }

  /** The deadline may have passed; or the session is over, and its signal is just telling others before this hold. */
  #noticeLoss(): void {
    const { session } = this.#ticket();
    if (!session.isAlive()) this.#lose(session.signal.reason as Error);
  }

  #lose(cause: Error): void {
    if (this.#state !== 'held') return;
    this.#state = 'lost';
    this.#loss = new HoldLostError(`${this.#title()} is lost: ${cause.message}`, this, { cause });
    this.#forget();
    this.#controller.abort(this.#loss);
    report('conclave:lost', () => ({ ...this.#facts(), error: cause }));
    // Lets local followers go on; the store has nothing to give back.
    void this.admitted.leave().catch(() => {});
  }

  #notHeld(): HoldLostError {
    const why = this.#state === 'released' ? 'it has been released' : suspicion;
    return new HoldLostError(`${this.#title()} cannot be relied on: ${why}`, this);
  }

  #facts(): { readonly key: string; readonly fencingToken: bigint; readonly heldMs: number } {
    const { key, fencingToken } = this;
    return { key, fencingToken, heldMs: this.#ticket().session.options.runtime.now() - this.#grantedAt };
  }

  #title(): string {
    return `hold on ${this.#ticket().title} (${this.key}, token ${this.fencingToken})`;
  }
}
