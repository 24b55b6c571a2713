import { toText } from '../base/bytes.js';
import { ConflictError } from '../base/errors.js';
import { encodeName, linePrefix, type Place, placeText } from '../base/keys.js';
import { checkOptions, type WaitOptions } from '../base/wait.js';
import { atOnce } from '../session/at-once.js';
import type { Connection } from '../session/connection.js';
import { Line, type LineState } from '../session/line.js';
import { lineHistory } from '../session/line-history.js';
import { onceInAnySession } from '../session/once.js';
import { encodeTicket } from '../session/ticket-value.js';
import { kvsOf } from '../session/ticket.js';
import { compare, get, prefix, put, remove } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { checkNumber } from './check-number.js';
import { untilAnswered } from './until-answered.js';
import { untilSeen } from './until-seen.js';

export interface LatchOptions {
  /** How many have to arrive, the same for all who use the latch: who names another number gets a `ConflictError`. */
  readonly count: number;
}

/** How far a latch is, at one revision of the store. */
export interface LatchProgress {
  readonly arrived: number;
  readonly count: number;
  readonly revision: bigint;
}

/**
 * A latch for every process that uses the same name: it opens when `count` have arrived, and stays open.
 *
 * Guarantees:
 * - Each id counts once, however often it arrives, from wherever, and whatever becomes of a request or its process.
 * - Once open it is open for all, until `reset`. Nothing that was sent for one latch counts for the next of its name; an
 *   `arrive` that is under way during a `reset` may count before it, or after.
 *
 * Arrivals are kept without a lease: a worker that has arrived may end. The latch stays in the store until `reset`.
 */
export class CountDownLatch {
  readonly #connection: Connection;
  readonly #count: number;
  readonly #line: Line;
  readonly #countKey: string;
  /** The create revision of the latch as last seen: arrivals name it. */
  #generation = 0n;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or count */
  constructor(connection: Connection, place: Place, options: LatchOptions) {
    const start = linePrefix(connection.namespace, 'latch', place);
    const title = `latch ${placeText(place)}`;
    checkOptions(options, ['count'], title);
    this.#connection = connection;
    this.#count = checkNumber(options.count, 'count');
    this.#countKey = `${start}count`;
    this.#line = new Line({ prefix: start, ticketPrefix: `${start}arrived/`, title });
  }

  /**
   * Counts an arrival. One round trip, and one more for the first of this object. Never waits for others.
   *
   * @param id counts once, however often it arrives; a job that may be tried again names itself. @default a new one each time
   * @returns false if this id had arrived before
   * @throws ConflictError if the latch was made for another count; UnavailableError, nothing was done; OutcomeUnknownError
   * if it could not be found out in time whether it was: arriving again with the same id does no harm; AuthError
   */
  async arrive(id?: string): Promise<boolean> {
    const what = `${this.#line.title}: arrive`;
    const name = id === undefined ? this.#connection.runtime.id().toString(16) : encodeName(id);
    return atOnce(this.#connection, what, async ({ signal }) => {
      this.#generation ||= await this.#begin(signal);
      while (true) {
        const hasCounted = await this.#arriveAt(this.#generation, this.#line.keyOf(name), signal);
        if (hasCounted !== undefined) return hasCounted;
        this.#generation = await this.#begin(signal); // reset since
      }
    });
  }

  /**
   * Resolves when enough have arrived. One read; if they have not, a watch, and nothing after that. Needs no session, and
   * leaves nothing behind. Goes on while the store is away.
   *
   * @throws ConflictError if the latch was made for another count, or was reset while this waited; WaitTimeoutError; the
   * signal's reason; ClosedError; AuthError; TypeError, RangeError for bad options, before anything is sent
   */
  async wait(options: WaitOptions = {}): Promise<void> {
    let generation = 0n;
    let refusal: ConflictError | undefined;
    await untilSeen(this.#connection, this.#line, options, (state, wait) => {
      const anchor = this.#anchorIn(state);
      if (generation === 0n) generation = anchor?.createRevision ?? 0n;
      wait.obstacle = `; ${anchor ? state.tickets.length : 0} of ${this.#count} have arrived`;
      if (generation !== (anchor?.createRevision ?? 0n)) refusal ??= this.#wasReset();
      else refusal ??= this.#disagrees(anchor);
      return refusal !== undefined || this.#arrivedIn(state) >= this.#count;
    });
    if (refusal) throw refusal;
  }

  /** How many have yet to arrive. One read. @throws ConflictError if the latch was made for another count */
  async remaining(): Promise<number> {
    this.#connection.closing.throwIfAborted();
    const arrivals = get(prefix(this.#line.keyOf('')), { countOnly: true });
    const { responses } = await this.#connection.store.txn({ then: [get(this.#countKey), arrivals] });
    const [counted, arrived] = responses;
    const anchor = counted?.kvs[0];
    const refusal = this.#disagrees(anchor);
    if (refusal) throw refusal;
    return Math.max(0, this.#count - (anchor && arrived ? arrived.count : 0));
  }

  /**
   * How many have arrived, now and whenever that changes, in order. Never the same number twice in a row. After a reset it
   * goes on with the next latch of this name.
   *
   * @throws the signal's reason; ConflictError if the latch was made for another count; ClosedError; AuthError
   */
  async *observe(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<LatchProgress, void, undefined> {
    const { title } = this.#line;
    checkOptions(options, ['signal'], `${title}: observe`);
    let last = -1;
    for await (const state of lineHistory(this.#connection, this.#line, { signal: options.signal })) {
      const refusal = this.#disagrees(this.#anchorIn(state));
      if (refusal) throw refusal;
      const arrived = this.#arrivedIn(state);
      if (arrived === last) continue;
      last = arrived;
      yield { arrived, count: this.#count, revision: state.revision };
    }
  }

  /**
   * Removes the latch with all arrivals: whoever comes next begins a new one. Those who wait for this one reject.
   *
   * @throws UnavailableError, nothing was done; OutcomeUnknownError if it may have been; AuthError
   */
  async reset(): Promise<void> {
    const { store } = this.#connection;
    return atOnce(this.#connection, `${this.#line.title}: reset`, async (wait) => {
      const [anchor] = (await store.get(this.#countKey, { signal: wait.signal })).kvs;
      if (!anchor) return;
      // A copy that comes late removes no later latch.
      const isThis = compare.createRevision(this.#countKey, '=', anchor.createRevision);
      await untilAnswered(this.#connection, wait, (options) =>
        store.txn({ if: [isThis], then: [remove(this.#line.range)] }, options),
      );
    });
  }

  /** @returns the create revision of the latch, made if there was none. @throws ConflictError */
  async #begin(signal: AbortSignal): Promise<bigint> {
    const result = await onceInAnySession(
      this.#connection,
      {
        if: [compare.createRevision(this.#countKey, '=', 0n)],
        then: [put(this.#countKey, String(this.#count))],
        else: [get(this.#countKey)],
      },
      signal,
    );
    if (result.isDone) return result.revision;
    const [anchor] = kvsOf(result.responses);
    const refusal = this.#disagrees(anchor);
    if (refusal) throw refusal;
    return anchor?.createRevision ?? 0n;
  }

  /** @returns whether it was counted now; undefined if that latch is gone */
  async #arriveAt(generation: bigint, key: string, signal: AbortSignal): Promise<boolean | undefined> {
    const { holder, runtime } = this.#connection.options;
    const result = await onceInAnySession(
      this.#connection,
      {
        if: [compare.createRevision(this.#countKey, '=', generation), compare.createRevision(key, '=', 0n)],
        then: [put(key, encodeTicket(holder, runtime.wallNow()))],
        else: [get(this.#countKey)],
      },
      signal,
    );
    if (result.isDone) return true;
    return kvsOf(result.responses)[0]?.createRevision === generation ? false : undefined;
  }

  #anchorIn({ settings }: LineState): KeyValue | undefined {
    return settings.find(({ key }) => toText(key) === this.#countKey);
  }

  #arrivedIn(state: LineState): number {
    return this.#anchorIn(state) ? state.tickets.length : 0;
  }

  #disagrees(anchor: KeyValue | undefined): ConflictError | undefined {
    const stored = anchor && toText(anchor.value);
    if (stored === undefined || stored === String(this.#count)) return undefined;
    return new ConflictError(
      `${this.#line.title} was made for a count of ${stored}, this program names ${this.#count}: they have to agree`,
    );
  }

  #wasReset(): ConflictError {
    return new ConflictError(`${this.#line.title} was reset by somebody while this waited for it`);
  }
}
