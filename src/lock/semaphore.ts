import { ConflictError } from '../base/errors.js';
import type { Place } from '../base/keys.js';
import { checkOptions, type WaitOptions } from '../base/wait.js';
import { compare, type Op, prefix, put, type PutOp, txn } from '../store/operations.js';
import { Admission, type TryOptions } from '../session/admission.js';
import { atOnce } from '../session/at-once.js';
import type { Connection } from '../session/connection.js';
import { type Demand, demand } from '../session/demand.js';
import { Hold } from '../session/hold.js';
import type { Line, LineState } from '../session/line.js';
import { lineOf } from '../session/line-kinds.js';
import { onceInAnySession } from '../session/once.js';
import {
  dividePermits,
  limitBefore,
  limitIn,
  limitRevisionIn,
  totalWeight,
  withinLimit,
} from '../session/rules.js';
import { readTicket, type TicketInfo } from '../session/ticket-value.js';

export interface SemaphoreOptions {
  /**
   * How many permits there are: stored by the first who takes one. Who names another than the stored one gets a
   * `ConflictError`. Programs that `resize` name none. @default the stored one
   */
  readonly limit?: number;
}

export interface PermitOptions extends WaitOptions {
  /** How many to take, all or none. @default 1 */
  readonly permits?: number;
}

/** Who stands in the line of a semaphore, at one revision of the store. */
export interface SemaphoreState {
  readonly revision: bigint;
  /** undefined if none is set yet. */
  readonly limit: number | undefined;
  /** Permits taken. */
  readonly used: number;
  /**
   * More are taken than the limit allows: it was made smaller, and nothing is granted until enough are given back. Judged
   * from outside: a waiter that would have fitted the limit before counts as a holder, for it may be one.
   */
  readonly isOverLimit: boolean;
  readonly holders: readonly TicketInfo[];
  /** In the order in which they will get them. */
  readonly waiters: readonly TicketInfo[];
}

/**
 * A fair, weighted semaphore, shared by every process that uses the same name: at most `limit` permits are taken.
 *
 * Guarantees:
 * - A grant never makes the permits taken exceed the limit in force at its revision.
 * - First come, first served: one who wants many permits is not starved by others who want few, for these wait behind it.
 * - Who wants more than the limit rejects, also while it waits and the limit shrinks, instead of blocking the line.
 *
 * Who holds permits in a callback (`run`) cannot take more there: `AlreadyHeldError`, for several who do that wait for each
 * other. Take all at once.
 *
 * Not guaranteed: shrinking takes nothing back. And a holder paused past its lease can wake up and go on: several holders
 * are valid at a time, so guard what they write with `hold.guard()`, not with the highest token seen.
 */
export class Semaphore {
  readonly #connection: Connection;
  readonly #limit: number | undefined;
  readonly #line: Line;
  readonly #limitKey: string;
  readonly #admission: Admission;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or limit */
  constructor(connection: Connection, place: Place, options: SemaphoreOptions = {}) {
    const { prefix, title } = lineOf(connection.namespace, 'semaphore', place);
    checkOptions(options, ['limit'], title);
    this.#connection = connection;
    this.#limit = options.limit === undefined ? undefined : checkCount(options.limit, 'limit');
    this.#limitKey = `${prefix}limit`;
    this.#line = lineOf(connection.namespace, 'semaphore', place, {
      entering: (ticket) => this.#entering(ticket),
      refusal: (state) => this.#refusal(state),
    });
    this.#admission = new Admission(connection, { lines: [this.#line], title });
  }

  /**
   * Waits for permits. One round trip if they are free; if not, one and a watch, and none after others have given back.
   *
   * When it rejects nothing is held; a ticket whose fate is not known yet is removed in the background, at the latest
   * with the session.
   *
   * @throws ConflictError if another limit is stored than the one named, or none, or if more is wanted than the limit;
   * otherwise as `Lock.acquire`
   */
  async acquire(options: PermitOptions = {}): Promise<Hold> {
    const { permits, ...wait } = this.#permitOptions(options);
    return this.#admission.acquire(this.#demand(permits), wait, (admitted) => new Hold(admitted));
  }

  /**
   * Takes permits if they are free and nobody waits. No trace if not. One round trip if nobody else holds any, else two.
   *
   * @returns undefined if they are not free
   * @throws ConflictError as `acquire`; UnavailableError if the store cannot be reached within `dialTimeoutMs`;
   * SessionLostError; ClosedError
   */
  async tryAcquire(options: TryOptions & Pick<PermitOptions, 'permits'> = {}): Promise<Hold | undefined> {
    const { permits, ...wait } = this.#permitOptions(options);
    return this.#admission.tryAcquire(this.#demand(permits), wait, (admitted) => new Hold(admitted));
  }

  /** Runs `work` with permits and gives them back in every case. Always waits for `work`. @throws as `Lock.run` */
  async run<T>(work: (hold: Hold) => T | Promise<T>, options: PermitOptions = {}): Promise<T> {
    return this.#admission.run(() => this.acquire(options), work);
  }

  /**
   * Changes how many permits there are, whatever is stored. Those who wait see it at once. Shrinking takes nothing back:
   * nothing is granted until enough were given back.
   *
   * @throws UnavailableError, nothing was done; OutcomeUnknownError if it could not be found out in time whether it was done;
   * AuthError
   */
  async resize(limit: number): Promise<void> {
    checkCount(limit, 'limit');
    return atOnce(this.#connection, `${this.#line.title}: resize`, async (wait) => {
      while (!(await this.#tryResize(limit, wait.signal)));
    });
  }

  /** Who holds and who waits, in order. One read. @throws ConflictError if a newer version of this library wrote a ticket */
  async inspect(): Promise<SemaphoreState> {
    const [state] = await this.#admission.read();
    if (!state) throw new TypeError('there is no line');
    const limit = limitIn(state.settings);
    const { holders, waiters } = dividePermits(state);
    const used = totalWeight(holders);
    return {
      revision: state.revision,
      limit,
      used,
      isOverLimit: limit !== undefined && used > limit,
      holders: holders.map(readTicket),
      waiters: waiters.map(readTicket),
    };
  }

  /** @returns false if somebody else has changed it meanwhile */
  async #tryResize(limit: number, signal: AbortSignal): Promise<boolean> {
    const { header, kvs } = await this.#connection.store.get(prefix(this.#line.prefix), { signal });
    const state = this.#line.stateOf(header.revision, kvs);
    const before = limitIn(state.settings);
    const limitKey = compare.modRevision(this.#limitKey, '=', limitRevisionIn(state.settings));
    // For `inspect`: what may be taken beyond the new limit.
    const used = totalWeight(dividePermits(state).holders);
    const taken = before === undefined || used === Infinity ? limit : Math.max(before, used);
    const settings = [
      put(this.#limitKey, String(limit)),
      put(this.#line.prefix + limitBefore, String(taken)),
    ];
    const { isDone } = await onceInAnySession(this.#connection, { if: [limitKey], then: settings }, signal);
    return isDone;
  }

  /** The limit is stored by the first, and checked by all, in the same transaction that puts the ticket. */
  #entering(ticket: PutOp): readonly Op[] {
    const isUnset = compare.createRevision(this.#limitKey, '=', 0n);
    if (this.#limit === undefined) return [txn({ if: [isUnset], else: [ticket] })];
    const limit = String(this.#limit);
    const first = txn({ if: [isUnset], then: [put(this.#limitKey, limit), ticket] });
    return [txn({ if: [compare.value(this.#limitKey, '=', limit)], then: [ticket], else: [first] })];
  }

  #refusal({ settings }: LineState): ConflictError | undefined {
    const { title } = this.#line;
    const stored = limitIn(settings);
    if (stored === undefined) return new ConflictError(`${title} has no limit yet: name one, or resize it`);
    if (this.#limit === undefined || this.#limit === stored) return undefined;
    return new ConflictError(
      `${title}: the stored limit is ${stored}, this program names ${this.#limit}. Programs have to agree on it; those that resize name none`,
    );
  }

  #demand(permits: number): Demand {
    return demand(withinLimit, { weight: permits });
  }

  #permitOptions<Options extends PermitOptions>(options: Options): Options & { readonly permits: number } {
    checkOptions(options, ['permits', 'timeoutMs', 'signal'], this.#line.title);
    const { permits = 1 } = options;
    checkCount(permits, 'permits');
    if (this.#limit !== undefined && permits > this.#limit) {
      throw new RangeError(
        `${permits} permits are more than the limit of ${this.#limit}: they would never be free`,
      );
    }
    return { ...options, permits };
  }
}

/** @throws TypeError, RangeError unless it is a whole number, 1 or more */
function checkCount(count: number, what: string): number {
  if (typeof count !== 'number') throw new TypeError(`${what} must be a number`);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new RangeError(`${what} must be a whole number, 1 or more; got ${count}`);
  }
  return count;
}
