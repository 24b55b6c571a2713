import { toText } from '../base/bytes.js';
import type { Place } from '../base/keys.js';
import { checkOptions, type WaitOptions } from '../base/wait.js';
import { get, prefix } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { Admission } from '../session/admission.js';
import type { Connection } from '../session/connection.js';
import type { Line } from '../session/line.js';
import { lineOf } from '../session/line-kinds.js';
import { readTicket, type TicketInfo } from '../session/ticket-value.js';
import { type Ballot, candidacy, checkValue, named, raw } from './candidacy.js';
import { lead, type LeadOptions } from './lead.js';
import { Leadership } from './leadership.js';
import { sightings } from './observe.js';

export interface CampaignOptions extends WaitOptions {
  /**
   * Candidates of lower priority that wait give way to it; a leader does not. Any number; not with `{ path }`, where other
   * programs would not.
   * @default 0
   */
  readonly priority?: number;
}

/** Who leads, as others see it. */
export interface Leader {
  /** What it stands for: as given to `campaign`, or last proclaimed. */
  readonly value: string;
  /** Larger than that of every earlier leader. */
  readonly fencingToken: bigint;
  readonly key: string;
}

/** One who stands for election: the first is the leader. */
export interface Candidate extends TicketInfo {
  readonly value: string;
  readonly priority?: number;
}

export interface Observation {
  /** undefined: nobody leads. */
  readonly leader: Leader | undefined;
  /** The store's revision from which on it is so. */
  readonly revision: bigint;
}

/**
 * One of many leads: processes campaign under the same name, and the oldest candidate is the leader.
 *
 * Guarantees:
 * - At any revision of the store there is at most one leader, and it is alive as far as its lease goes: a candidate whose
 *   session is lost while it waits rejects, and is never crowned (unlike Go's `concurrency.Election`).
 * - First come, first served, but for candidates that give way (`priority`, `transferTo`).
 * - Every leader's `fencingToken` is larger than that of all before it.
 * - `observe` tells of every leader and of every time without one, in order.
 *
 * Not guaranteed: that an old leader has noticed. It may be paused, and wake up when another one leads. Guard writes to the
 * store with `leadership.guard()`, and writes elsewhere with `leadership.fencingToken`. After a crash the next one leads
 * once the lease has run out: up to TTL + election of an etcd leader + TTL.
 *
 * After the recipe of etcd's Go client (`concurrency.Election`), whose keys it shares under `{ path }`.
 */
export class Election {
  readonly #connection: Connection;
  readonly #line: Line;
  readonly #ballot: Ballot;
  readonly #admission: Admission;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name */
  constructor(connection: Connection, place: Place) {
    this.#connection = connection;
    this.#line = lineOf(connection.namespace, 'election', place);
    this.#ballot = typeof place === 'string' ? named : raw;
    this.#admission = new Admission(connection, { lines: [this.#line], title: this.#line.title });
  }

  /**
   * Stands for election and waits until it leads. One round trip if nobody else stands; if not, one and a watch, and none
   * when the leader before has gone.
   *
   * When it rejects, the candidate has left; what is not known yet is settled in the background, at the latest with the
   * session.
   *
   * @param value what observers see
   * @throws WaitTimeoutError naming who leads; the signal's own reason; SessionLostError; ClosedError; AlreadyHeldError
   * inside a callback that leads; ConflictError if somebody removed the ticket; AuthError; ResourceExhaustedError if the
   * store is over its quota
   */
  async campaign(value: string, options: CampaignOptions = {}): Promise<Leadership> {
    checkOptions(options, ['priority', 'timeoutMs', 'signal'], `${this.#line.title}: campaign`);
    const { priority, ...wait } = options;
    const wish = {
      value: checkValue(value),
      ...(priority !== undefined && { priority: this.#checkPriority(priority) }),
    };
    const demand = candidacy(this.#ballot, wish);
    return this.#admission.acquire(demand, wait, (admitted) => new Leadership(admitted, this.#ballot, wish));
  }

  /**
   * Runs `work` whenever this process leads, until `signal` aborts: campaigns again after a loss, and after `work` has
   * returned. Never runs it twice at a time, and resigns only when it has ended.
   *
   * When `signal` aborts, `leadership.signal` does, with the same reason, while the leadership still stands; `work` is
   * waited for, up to `drainTimeoutMs`, then this resolves. If `work` still runs then, the key is given back when it ends.
   *
   * @throws the error of `work`, unless `onError` is there to be told; ClosedError; AuthError; SessionLostError on a
   * Conclave that has only one session
   */
  async lead(work: (leadership: Leadership) => unknown, options: LeadOptions = {}): Promise<void> {
    const campaign = (value: string, wait: CampaignOptions): Promise<Leadership> =>
      this.campaign(value, wait);
    return lead(this.#connection, { title: this.#line.title, campaign }, work, options);
  }

  /**
   * Who leads now: the first in line. One read. A crashed leader counts until its lease has run out, and where there are
   * priorities a candidate may be first for a moment, until it has let a more urgent one pass; it was never told that it leads.
   */
  async leader(): Promise<Leader | undefined> {
    this.#connection.closing.throwIfAborted();
    const oldest = get(prefix(this.#line.prefix), { sort: ['create', 'ascend'], limit: 1 });
    const { kvs } = await this.#connection.store.do(oldest);
    return kvs[0] && this.#leaderOf(kvs[0]);
  }

  /** Who leads, and who waits, in order. One read. @throws ConflictError if a newer version of this library wrote a ticket */
  async candidates(): Promise<readonly Candidate[]> {
    const [state] = await this.#admission.read();
    return (state?.tickets ?? []).map((ticket) => this.#candidateOf(ticket));
  }

  /**
   * The leaders as they come and go, the present one first, `undefined` when there is none; also when one proclaims a new
   * value. Never backwards, none twice in a row, none left out, however slow the reader is; only what was compacted away
   * before it could be told may be missing. Who leads is seen as `leader()` sees it. Nothing is sent per change, and
   * nothing before the first `next()`. `break` ends it.
   *
   * @throws the signal's reason; ClosedError; AuthError if a permission was withdrawn. It does not end otherwise: while the
   * store is away it waits.
   */
  async *observe(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<Observation, void, undefined> {
    checkOptions(options, ['signal'], `${this.#line.title}: observe`);
    let last: Observation | undefined;
    for await (const { leader: ticket, revision } of sightings(
      this.#connection,
      this.#line,
      options.signal,
    )) {
      const leader = ticket && this.#leaderOf(ticket);
      // What a leader writes on its ticket besides, for those who wait, is nobody else's business.
      const isNews = leader?.key !== last?.leader?.key || leader?.value !== last?.leader?.value;
      if (!last || isNews) yield (last = { leader, revision });
    }
  }

  #candidateOf(ticket: KeyValue): Candidate {
    const value = this.#ballot.valueOf(ticket);
    const priority = this.#ballot.priorityOf(ticket);
    const who = this.#ballot === named ? readTicket(ticket) : keyOf(ticket);
    return { ...who, value, ...(priority !== undefined && { priority }) };
  }

  #leaderOf(ticket: KeyValue): Leader {
    return { value: this.#ballot.valueOf(ticket), ...keyOf(ticket) };
  }

  #checkPriority(priority: number): number {
    if (this.#ballot !== named) throw new TypeError(`${this.#line.title}: no priority with { path }`);
    if (typeof priority !== 'number') throw new TypeError('priority must be a number');
    if (!Number.isFinite(priority)) throw new RangeError('priority must be finite');
    return priority;
  }
}

function keyOf({ key, createRevision }: KeyValue): { readonly key: string; readonly fencingToken: bigint } {
  return { key: toText(key), fencingToken: createRevision };
}
