import {
  HoldLostError,
  isConclaveError,
  OutcomeUnknownError,
  ResourceExhaustedError,
} from '../base/errors.js';
import { retry } from '../store/retry.js';
import type { Connection } from '../session/connection.js';
import type { Ticket } from '../session/ticket.js';
import { compare, get, remove } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { isSpaceExceeded } from '../store/outcome.js';
import type { QueueLayout } from './layout.js';
import { type EndRecord, type KnownJob, type Move, toDead, toDelayed, toEnd, toReady } from './moves.js';
import type { DeadReason } from './moves.js';
import type { Retention } from './retention.js';

/** What all parts of one queue share. */
export interface QueueParts {
  readonly connection: Connection;
  readonly layout: QueueLayout;
  readonly retention: Retention;
}

/** A job in the hands of a worker. */
export interface HeldJob extends KnownJob {
  readonly ticket: Ticket;
}

/** What becomes of a job when its worker is done with it; the record is that of the next attempt. */
export type Disposition =
  | { readonly kind: 'completed'; readonly result?: unknown }
  | { readonly kind: 'later'; readonly job: KnownJob; readonly delayMs: number }
  | { readonly kind: 'dead'; readonly job: KnownJob; readonly reason: DeadReason }
  | { readonly kind: 'cancelled' };

/**
 * Ends a delivery, in one transaction that compares the claim: whoever has lost it changes nothing, and a copy of the
 * request that arrives later finds it gone. Tries until it is answered or the session is over.
 *
 * @param onEnd called when nothing more is tried: before this settles, or in the background, if the store has no space
 * @returns false if the claim was gone before
 * @throws OutcomeUnknownError if the session ended before the answer came; HoldLostError if it ended before anything was
 * sent; ResourceExhaustedError if the store is over its quota: it is tried again in the background
 */
export async function settle(
  parts: QueueParts,
  job: HeldJob,
  disposition: Disposition,
  onEnd: () => void = () => {},
): Promise<boolean> {
  const { session } = job.ticket;
  const attempt = new Settlement(parts, job, disposition);
  const settled = (mayStop: boolean): Promise<boolean> =>
    retry(session.options.runtime, () => attempt.once(), {
      signal: session.signal,
      maxDelayMs: 500,
      again: (error) => {
        if (error === tryAgain) return session.isAlive();
        if (!isConclaveError(error, 'OUTCOME_UNKNOWN') && !isConclaveError(error, 'UNAVAILABLE'))
          return false;
        return session.isAlive() && !(mayStop && isSpaceExceeded(error) && attempt.isFull());
      },
    });
  let isPostponed = false;
  try {
    const hadIt = await settled(true);
    session.news.end(job.ticket.key);
    return hadIt;
  } catch (error) {
    if (isSpaceExceeded(error) && session.isAlive()) {
      isPostponed = true;
      session.chore(settled(false).then(onEnd, onEnd));
      throw new ResourceExhaustedError(
        `${job.ticket.title}: the store is over its space quota; it is settled when there is space`,
        {
          cause: error,
        },
      );
    }
    if (!session.isAlive()) throw attempt.cutOff(error);
    throw error;
  } finally {
    if (!isPostponed) onEnd();
  }
}

/** Thrown to try again at once, since something has changed that the next attempt takes into account. */
const tryAgain = new Error('try again');

class Settlement {
  readonly #parts: QueueParts;
  readonly #job: HeldJob;
  #disposition: Disposition;
  /** An earlier attempt may have been applied. */
  #isRepeated = false;
  /** Somebody had wanted it to stop, and it is done all the same. */
  #wasCancelled = false;
  /** The store is over its quota: nothing can be kept. */
  #isFull = false;

  constructor(parts: QueueParts, job: HeldJob, disposition: Disposition) {
    this.#parts = parts;
    this.#job = job;
    this.#disposition = disposition;
  }

  async once(): Promise<boolean> {
    const { layout, connection } = this.#parts;
    const { ticket, id } = this.#job;
    const { session } = ticket;
    session.assertAlive();
    const move = await this.#move();
    session.assertAlive(); // from here on it may be sent
    // Who wanted it cancelled does not want it tried again. But what is done is done, and is then remembered as that.
    const { kind } = this.#disposition;
    const mayBeCancelled =
      kind === 'later' || kind === 'dead' || (kind === 'completed' && this.#leavesNothing());
    const unlessCancelled = mayBeCancelled ? [compare.createRevision(layout.cancelOf(id), '=', 0n)] : [];
    const taken = [remove(ticket.key), remove(layout.activeOf(id)), ...ticket.unsaying('ask')];
    const shown = [ticket.key, layout.cancelOf(id), session.key, layout.activeOf(id), layout.job(id)];
    const answer = await connection.store
      .txn(
        {
          if: [...ticket.guards(), ...unlessCancelled, ...move.if],
          then: [...taken, ...move.then],
          else: shown.map((key) => get(key, { keysOnly: true })),
        },
        // The end of the session does not cut it off: the answer says more than that.
        { timeoutMs: session.requestTimeoutMs },
      )
      .catch((error: unknown) => {
        if (isConclaveError(error, 'OUTCOME_UNKNOWN') || session.signal.aborted) this.#isRepeated = true;
        if (isConclaveError(error, 'NOT_FOUND')) {
          this.#parts.retention.forget(); // the only lease named here
          throw tryAgain;
        }
        throw error;
      });
    session.options.runtime.probe('queue.settled');
    if (answer.succeeded) return true;
    const [claim, cancel, ...others] = answer.responses.map(({ kvs }) => kvs[0]);
    if (claim?.createRevision !== ticket.createRevision) return this.#wasDone(others);
    if (cancel && kind === 'completed') this.#wasCancelled = true;
    else if (cancel) this.#disposition = { kind: 'cancelled' };
    throw tryAgain;
  }

  /** The claim is gone: an earlier copy has done it, or somebody else has taken it away. @throws SessionLostError */
  #wasDone([self, active, body]: readonly (KeyValue | undefined)[]): boolean {
    const { session, createRevision } = this.#job.ticket;
    if (!this.#isRepeated) return false;
    // With the session all its claims go.
    if (!session.epoch.learn(self)) throw session.signal.reason;
    // What goes in one transaction with the claim would be gone as well.
    if (active?.createRevision === createRevision) return false;
    return this.#disposition.kind === 'later' || !body || body.createRevision > createRevision;
  }

  /** Whether it needs space, and there is none. A result is given up then: that the job is done matters more. */
  isFull(): boolean {
    this.#isFull = true;
    return this.#disposition.kind !== 'completed';
  }

  cutOff(cause: unknown): Error {
    const { ticket } = this.#job;
    const text = `the session ended before ${ticket.title} was settled`;
    if (this.#isRepeated)
      return new OutcomeUnknownError(`${text}: it may be, or it is given to another worker`, { cause });
    return new HoldLostError(
      `${text}: it is given to another worker`,
      { key: ticket.key, fencingToken: ticket.createRevision },
      { cause },
    );
  }

  async #move(): Promise<Move> {
    const { layout, connection } = this.#parts;
    const now = connection.runtime.wallNow();
    const disposition = this.#disposition;
    switch (disposition.kind) {
      case 'completed':
        return this.#ended({
          state: 'completed',
          at: now,
          ...(disposition.result !== undefined && { result: disposition.result }),
        });
      case 'cancelled':
        return this.#ended({ state: 'cancelled', at: now });
      case 'dead':
        return toDead(layout, disposition.job, disposition.reason, now);
      case 'later':
        if (disposition.delayMs > 0) return toDelayed(layout, disposition.job, now + disposition.delayMs);
        return toReady(layout, disposition.job, await presentRevision(this.#parts));
    }
  }

  /** Kept if somebody may want to know. */
  async #ended(end: EndRecord): Promise<Move> {
    const { layout, retention } = this.#parts;
    if (this.#isFull || this.#leavesNothing()) return toEnd(layout, this.#job);
    return retention.moveToEnd(layout, this.#job, end);
  }

  /** Though something could be kept of how it ends: nobody would ask. */
  #leavesNothing(): boolean {
    const disposition = this.#disposition;
    if (disposition.kind !== 'completed' || this.#isFull || this.#parts.retention.keepMs === 0) return false;
    return disposition.result === undefined && !this.#job.body.isNamed && !this.#wasCancelled;
  }
}

/** A revision that whatever is put from now on is above, or at. */
export async function presentRevision({
  connection,
  layout,
}: Pick<QueueParts, 'connection' | 'layout'>): Promise<bigint> {
  const { header } = await connection.store.get(layout.paused, { keysOnly: true });
  return header.revision;
}
