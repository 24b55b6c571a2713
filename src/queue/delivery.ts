import { ConflictError, isConclaveError } from '../base/errors.js';
import { checkJson } from '../base/json.js';
import { toDate } from '../base/runtime.js';
import { checkOptions, checkTimeout } from '../base/wait.js';
import { Admitted } from '../session/admitted.js';
import { Hold } from '../session/hold.js';
import { Rewriter } from '../session/rewrite.js';
import { encodeTicket } from '../session/ticket-value.js';
import { attemptOf, type JobRecord } from './job.js';
import { type Disposition, type HeldJob, type QueueParts, settle } from './settle.js';

/** Thrown by a handler: the job has failed for good, and no other attempt is made. */
export class FailJob extends Error {
  override readonly name = 'FailJob';

  /** @param reason what to keep with the dead letter: an error, or a text */
  constructor(reason: unknown) {
    super(textOf(reason), { cause: reason });
  }
}

export interface RetryOptions {
  /** How long to wait before the next attempt, milliseconds; Infinity: for ever. @default by the job's back-off */
  readonly delayMs?: number;
  /** Why; kept with the job. */
  readonly error?: unknown;
}

/**
 * A job in the hands of this process: a `Hold` on its claim, that has to be settled.
 *
 * Guarantees: `ack`, `retry` and `fail` compare the claim, so they do nothing once it is lost, and the job is in the hands
 * of somebody else: the call rejects with `HoldLostError` then. Of all deliveries of a job, at most one is settled by its
 * worker at a time, and at most one `ack` ever succeeds.
 *
 * Not guaranteed: that a job is delivered only once. A worker that is lost before it has settled may have done its work:
 * guard what the job writes, by `guard()` or by `fencingToken`, which is larger than that of every earlier delivery of it.
 *
 * Disposed of without a decision, the job is given back at once, and the attempt is not counted.
 */
export class Delivery<T = unknown> extends Hold {
  readonly id: string;
  readonly value: T;
  /** 1 for the first. Counts attempts that have failed and workers that were lost, not those that gave it back. */
  readonly attempt: number;
  /** By the clock of whoever enqueued it. */
  readonly enqueuedAt: Date;
  readonly #job: HeldJob;
  readonly #intention: Intention;
  readonly #progress: Rewriter;

  /** @internal */
  static of<T>(parts: QueueParts, job: HeldJob, value: T, waitedMs: number, onEnd: () => void): Delivery<T> {
    const intention = new Intention(later(job, { ...job.record, because: 'returned' }, 0));
    const giveBack = (): Promise<boolean> => settle(parts, job, intention.disposition, onEnd);
    const admitted = new Admitted(job.ticket, waitedMs, giveBack);
    return new Delivery(admitted, job, value, intention);
  }

  private constructor(admitted: Admitted, job: HeldJob, value: T, intention: Intention) {
    super(admitted);
    this.id = job.id;
    this.value = value;
    this.attempt = attemptOf(job.record);
    this.enqueuedAt = toDate(job.body.enqueuedAt);
    this.#job = job;
    this.#intention = intention;
    this.#progress = new Rewriter(job.ticket);
    const { releaseRequested } = this;
    const onCancel = (): void => this.tellToStop(releaseRequested.reason);
    if (releaseRequested.aborted) onCancel();
    else releaseRequested.addEventListener('abort', onCancel, { once: true });
  }

  /** Somebody wants it to stop (`queue.cancel`): `signal` has aborted, and unless it is done all the same, it is not tried again. */
  get isCancelled(): boolean {
    return this.releaseRequested.aborted;
  }

  /**
   * The job is done.
   *
   * @param result kept for `waitFor`, as long as the queue says (`keepMs`): anything JSON can carry
   * @throws HoldLostError if the delivery was lost before: another worker has the job; OutcomeUnknownError if the session
   * ended before the answer came; ConflictError if it was settled otherwise, or given back; TypeError if JSON cannot carry
   * the result, RangeError if it is larger than 900,000 bytes: the delivery still stands then
   */
  async ack(result?: unknown): Promise<void> {
    return this.#settle('ack', completed(result));
  }

  /**
   * It has failed, and is to be tried again: counted. After the last attempt it becomes a dead letter.
   *
   * @throws as `ack`; RangeError for a bad delay
   */
  async retry(options: RetryOptions = {}): Promise<void> {
    checkOptions(options, ['delayMs', 'error'], 'retry');
    if (options.delayMs !== undefined) checkTimeout(options.delayMs, 'delayMs');
    return this.#settle('retry', this.#afterFailure(options));
  }

  /** It has failed for good: a dead letter. @param error kept with it @throws as `ack` */
  async fail(error: unknown): Promise<void> {
    return this.#settle('fail', this.#dead(error));
  }

  /** Gives the job back, unless it is settled: at once, uncounted, to the end of its lane. @throws as `ack` */
  override release(): Promise<void> {
    this.#intention.say('release');
    return super.release();
  }

  /**
   * Tells others how far it is, by `queue.events()` and `inspect`. One round trip.
   *
   * @throws HoldLostError, `signal` has aborted then; TypeError if JSON cannot carry the value, RangeError if it is larger than 900,000 bytes
   */
  async progress(value: unknown): Promise<void> {
    this.assertStanding();
    const { holder, runtime } = this.admitted.ticket.session.options;
    const ticket = encodeTicket(holder, runtime.wallNow(), { progress: checkJson(value) });
    try {
      await this.#progress.write(ticket);
    } catch (error) {
      if (isConclaveError(error, 'HOLD_LOST')) this.keyGone(this.key);
      throw error;
    }
  }

  /**
   * Runs the handler and settles as it ends: by return, done; by an error, another attempt.
   *
   * @internal
   * @param ending aborts when the worker is to stop: what a handler throws then gives the job back
   * @returns what the handler threw, if it counts as a failure
   */
  async handle(
    handler: (delivery: this) => unknown,
    ending: AbortSignal,
  ): Promise<{ readonly error: unknown } | undefined> {
    if (this.isCancelled) {
      await this.release();
      return undefined;
    }
    let failure: { readonly error: unknown } | undefined;
    await this.during(async () => {
      try {
        this.#intention.say('ack', completed(await handler(this)));
      } catch (error) {
        if (this.isCancelled) this.#intention.say('cancel', { kind: 'cancelled' });
        else if (!ending.aborted || error instanceof FailJob) {
          failure = { error };
          if (error instanceof FailJob) this.#intention.say('fail', this.#dead(error));
          else this.#intention.say('retry', this.#afterFailure({ error }));
        }
      }
    }, ending);
    return failure;
  }

  #dead(error: unknown): Disposition {
    const { record } = this.#job;
    const job = { ...this.#job, record: { ...record, failures: record.failures + 1, error: textOf(error) } };
    return { kind: 'dead', job, reason: 'failed' };
  }

  #afterFailure({ delayMs, error }: RetryOptions): Disposition {
    const { body } = this.#job;
    const failures = this.#job.record.failures + 1;
    const record: JobRecord = {
      ...this.#job.record,
      failures,
      because: 'failed',
      ...(error !== undefined && { error: textOf(error) }),
    };
    const job = { ...this.#job, record };
    if (failures >= body.attempts) return { kind: 'dead', job, reason: 'failed' };
    const { minMs, maxMs } = body.backoff;
    const ceilingMs = Math.min(maxMs, minMs * 2 ** (failures - 1));
    const { runtime } = this.admitted.ticket.session.options;
    return { kind: 'later', job, delayMs: delayMs ?? ceilingMs * (1 - runtime.random() / 2) };
  }

  #settle(word: Word, disposition: Disposition): Promise<void> {
    const said = this.#intention.say(word, disposition);
    if (said === word) return super.release();
    throw new ConflictError(`job ${JSON.stringify(this.id)} was settled already (${said})`);
  }
}

type Word = 'ack' | 'retry' | 'fail' | 'cancel' | 'release';

/** What is to become of the job. */
class Intention {
  disposition: Disposition;
  #said: Word | undefined;

  /** @param unlessSaid what becomes of it if nothing is said */
  constructor(unlessSaid: Disposition) {
    this.disposition = unlessSaid;
  }

  /** What is said first counts. @returns which word that was */
  say(word: Word, disposition: Disposition = this.disposition): Word {
    if (this.#said === undefined) {
      this.#said = word;
      this.disposition = disposition;
    }
    return this.#said;
  }
}

function completed(result: unknown): Disposition {
  return { kind: 'completed', ...(result !== undefined && { result: checkJson(result) }) };
}

function later(job: HeldJob, record: JobRecord, delayMs: number): Disposition {
  return { kind: 'later', job: { ...job, record }, delayMs };
}

/** For people, and short: an error may carry a whole response. Never throws: a handler may throw anything. */
export function textOf(error: unknown): string {
  let text: string;
  try {
    text =
      isConclaveError(error) || error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    text = `what was thrown cannot be shown as text: ${typeof error}`;
  }
  return text.length > 1_000 ? `${text.slice(0, 1_000)}...` : text;
}
