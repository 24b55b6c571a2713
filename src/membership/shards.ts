import { toText } from '../base/bytes.js';
import { ClosedError } from '../base/errors.js';
import { checkOptions, settledWithin } from '../base/wait.js';
import { Admission } from '../session/admission.js';
import type { Connection } from '../session/connection.js';
import { Hold } from '../session/hold.js';
import { lineHistory } from '../session/line-history.js';
import { readTicket, type TicketInfo } from '../session/ticket-value.js';
import { checkWheneverHeld, wheneverHeld, type WheneverHeldOptions } from '../session/whenever-held.js';
import { get, prefix } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import { candidacy, Disagreement, plan, sharesOf } from './planner.js';
import { readPlan } from './plan.js';
import { type ShardWork, ShardWorkers } from './shard-workers.js';
import type { ShardsLayout } from './shards-layout.js';

/** A place in the group, as shards need it. */
export interface Standing {
  readonly id: string;
  /** Aborts when it has ended otherwise than by leaving. */
  readonly signal: AbortSignal;
  /** @internal Aborts when it ends, either way; as in `Membership`, whose declaration does not show it. */
  readonly ending: AbortSignal;
  leave(): Promise<void>;
}

/** `drainTimeoutMs`: how long to wait for all that runs after `signal` has aborted. `pauseMs`, `onError`: for each shard. */
export interface ShardRunOptions<Membership> extends WheneverHeldOptions {
  /** Who gets the shards: a membership of this group. @default one for this, with an empty value */
  readonly member?: Membership;
}

/** A shard, as others see it. */
export interface ShardState {
  readonly shard: number;
  /** The id of the member that is to have it; undefined as long as nobody has planned. */
  readonly assignedTo: string | undefined;
  /** Who has it; undefined: nobody. */
  readonly owner: TicketInfo | undefined;
}

const maxShards = 100_000;

/**
 * Work divided among the members of a group: each of a number of shards is owned by one of them.
 *
 * Guarantees:
 * - At any revision of the store a shard has one owner at most: who holds its mutex, `<group>/shards/<number>`. Each owner's
 *   `fencingToken` is larger than that of all before it.
 * - A shard is handed over only when the work on it has ended: who is to give it up is told to stop, by `signal`, and keeps it until
 *   then.
 * - Nobody is to have two more than another. Members who stay keep what they have, up to their share: only what is too much moves,
 *   and what was of members who have gone; no more than ceil(shards / members) when one comes or goes.
 *
 * Not guaranteed: that an owner which was paused past its lease has noticed. Guard writes to the store with `hold.guard()`, and
 * writes elsewhere with `hold.fencingToken`.
 *
 * One of those who run it, the leader of the election `<group>/shards`, plans who is to have what; nothing rests on that but
 * who asks for which mutex.
 */
export class Shards<Membership extends Standing = Standing> {
  readonly #connection: Connection;
  readonly #layout: ShardsLayout;
  readonly #join: (signal: AbortSignal | undefined) => Promise<Membership>;

  /** @internal @param join becomes a member for a run without one */
  constructor(
    connection: Connection,
    layout: ShardsLayout,
    join: (signal: AbortSignal | undefined) => Promise<Membership>,
  ) {
    this.#connection = connection;
    this.#layout = layout;
    this.#join = join;
  }

  /**
   * Takes part: runs `work` for each shard that falls to this member, side by side, until `signal` aborts or the membership
   * ends. A shard's `hold.signal` aborts when it is lost, or is to be handed over; then `work` should end soon, and the next
   * owner waits for that. When `work` returns, it runs again after a pause, as long as the shard falls to this member.
   *
   * When `signal` aborts, all are told to stop, with its reason, while they still stand, and are waited for, up to
   * `drainTimeoutMs`; then this resolves. What still runs then gives its shard back when it ends.
   *
   * @throws the error of `work`, unless `onError` is there to be told: the work on the others has ended then; ConflictError if others
   * name another number of shards; ClosedError; AuthError; what has ended the membership; SessionLostError on a Conclave
   * that has only one session; TypeError, RangeError for bad arguments, before any I/O
   */
  async run(work: ShardWork, options: ShardRunOptions<Membership> = {}): Promise<void> {
    const { title } = this.#layout;
    checkOptions(options, ['member', 'signal', 'drainTimeoutMs', 'pauseMs', 'onError'], `${title}: run`);
    const { member, ...others } = options;
    checkWheneverHeld(work, others, 'run');
    const { signal } = others;
    this.#connection.closing.throwIfAborted();
    if (signal?.aborted) return;
    const joined = member ?? (await this.#joinUnless(signal));
    if (!joined) return;
    try {
      await this.#runAs(joined, work, others);
    } finally {
      if (!member) await joined.leave();
    }
  }

  /** All shards at one revision: who is to have them, and who does. One read. */
  async inspect(): Promise<{ readonly revision: bigint; readonly shards: readonly ShardState[] }> {
    const { plan: planLine, linesPrefix, shards } = this.#layout;
    const { store, closing } = this.#connection;
    closing.throwIfAborted();
    const { revision, results } = await readTogether(store, [
      get(planLine.prefix),
      get(prefix(linesPrefix), { sort: ['create', 'ascend'] }),
    ]);
    const [planned, tickets] = results;
    const assignment = readPlan(planned.kvs[0], shards);
    const owners = new Map<number, TicketInfo>();
    for (const ticket of tickets.kvs) {
      const shard = this.#layout.shardIn(toText(ticket.key));
      if (shard !== undefined && !owners.has(shard)) owners.set(shard, readTicket(ticket));
    }
    const states = Array.from({ length: shards }, (_, shard) => ({
      shard,
      assignedTo: assignment[shard],
      owner: owners.get(shard),
    }));
    return { revision, shards: states };
  }

  /** @returns undefined if the signal has aborted before it was a member */
  async #joinUnless(signal: AbortSignal | undefined): Promise<Membership | undefined> {
    try {
      return await this.#join(signal);
    } catch (error) {
      if (signal?.aborted && error === signal.reason) return undefined;
      throw error;
    }
  }

  async #runAs(member: Standing, work: ShardWork, options: WheneverHeldOptions): Promise<void> {
    const { signal, drainTimeoutMs = 10_000, ...others } = options;
    const { runtime, closed } = this.#connection;
    const life = new AbortController();
    let failure: { readonly error: unknown } | undefined;
    const end = (error: unknown): void => {
      if (life.signal.aborted) return;
      failure = { error };
      life.abort(error);
    };
    const onStop = (): void => life.abort(signal?.reason);
    const onLeft = (): void => (member.signal.aborted ? end(member.signal.reason) : life.abort(left));
    signal?.addEventListener('abort', onStop, { once: true });
    const { ending } = member;
    ending.addEventListener('abort', onLeft, { once: true });
    if (ending.aborted) onLeft();
    const workers = new ShardWorkers(this.#connection, this.#layout, { ...others, work, onFailed: end });
    const taking = Promise.all([
      this.#stand(member.id, life.signal).catch(end),
      this.#follow(member.id, workers, life.signal).catch(end),
    ]);
    await new Promise<void>((resolve) => {
      if (life.signal.aborted) resolve();
      else life.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    workers.want(new Set(), life.signal.reason);
    signal?.removeEventListener('abort', onStop);
    ending.removeEventListener('abort', onLeft);
    const ended = Promise.race([Promise.all([taking, workers.ended()]), untilAborted(closed)]);
    await settledWithin(runtime, ended, drainTimeoutMs);
    if (failure) throw failure.error;
  }

  /** Stands among those who would have shards, and plans while it is the oldest of them. */
  async #stand(id: string, signal: AbortSignal): Promise<void> {
    const { candidates, title } = this.#layout;
    const connection = this.#connection;
    const admission = new Admission(connection, { lines: [candidates], title });
    const wish = candidacy(this.#layout, id);
    await wheneverHeld(
      connection,
      {
        title,
        acquire: (until) => admission.acquire(wish, { signal: until }, (admitted) => new Hold(admitted)),
        work: (hold) => plan(connection, this.#layout, { signal: hold.signal, guard: () => hold.guard() }),
        isFinal: (error) => error instanceof Disagreement,
      },
      { signal },
    );
  }

  /** Does what is planned. */
  async #follow(id: string, workers: ShardWorkers, signal: AbortSignal): Promise<void> {
    const { plan: line, title } = this.#layout;
    try {
      for await (const state of lineHistory(this.#connection, line, { signal })) {
        // Over, and all told to stop: nobody would stop what begins now.
        if (signal.aborted) return;
        workers.want(sharesOf(id, this.#layout, state), new Error(`${title}: it falls to another member`));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** @throws TypeError, RangeError */
export function checkShards(shards: number, what: string): number {
  if (typeof shards !== 'number') throw new TypeError(`${what}: the number of shards must be a number`);
  if (!Number.isSafeInteger(shards) || shards < 1 || shards > maxShards) {
    throw new RangeError(
      `${what}: the number of shards must be a whole number from 1 to ${maxShards}, got ${shards}`,
    );
  }
  return shards;
}

const left = new ClosedError('the member has left its group');

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
