import { ConflictError, isConclaveError, NotFoundError, ResourceExhaustedError } from '../base/errors.js';
import { raceSignal } from '../base/wait.js';
import { retry } from '../store/retry.js';
import { compare, get, prefix, put, remove } from '../store/operations.js';
import { isSpaceExceeded } from '../store/outcome.js';
import type { KeyValue } from '../store/results.js';
import { type LineState, type LineViews, sortTickets } from './line-view.js';
import type { Rule } from './rules.js';
import type { Session } from './session.js';

/** Where a ticket stands: what it needs to know of its line. */
export interface Place {
  readonly prefix: string;
  /** For messages: `mutex "orders/42"`. */
  readonly title: string;
  readonly views: LineViews;
  /** What to store in a ticket of this session. */
  ticketValue(session: Session): string;
}

export interface TakeOptions {
  /** Take a ticket only if nobody has one: never waits, leaves no trace. @default false */
  readonly onlyIfFree?: boolean;
  /** No further attempt is sent once it has aborted; one under way is still settled. */
  readonly signal: AbortSignal;
  /** Ride out an unreachable store until `signal` or the session's end. @default false */
  readonly isPatient?: boolean;
}

/**
 * A place in a line: a key that only this session writes, under its lease. The create revision is its place in the order
 * and its fencing token.
 */
export class Ticket {
  readonly key: string;
  readonly createRevision: bigint;
  readonly line: Place;
  readonly session: Session;
  /** The line as the take saw it. */
  readonly #taken: LineState;

  /**
   * Puts a ticket at the end of the line, and reads the line in the same transaction.
   *
   * An answer that is lost is settled before anything else happens: when this rejects, no ticket is left and no copy of
   * the request can put one later (or the session is over).
   *
   * @returns undefined with `onlyIfFree` if somebody stands in the line
   * @throws SessionLostError; UnavailableError if the store cannot be reached; the signal's reason
   */
  static async take(line: Place, session: Session, options: TakeOptions): Promise<Ticket | undefined> {
    const key = line.prefix + session.nextTicketName();
    return retry(session.options.runtime, () => takeOnce(line, session, key, options), {
      signal: options.signal,
      maxDelayMs: 500,
      again: (error) => {
        if (error === tryAgain) return true;
        return Boolean(options.isPatient) && isConclaveError(error, 'UNAVAILABLE') && session.isAlive();
      },
    });
  }

  constructor(line: Place, session: Session, key: string, createRevision: bigint, taken: LineState) {
    this.line = line;
    this.session = session;
    this.key = key;
    this.createRevision = createRevision;
    this.#taken = taken;
  }

  /**
   * Resolves when the rule lets this ticket pass: seen at one revision, not below its create revision, at which it stands
   * in the line itself.
   *
   * @param onBlocked shown who stands before it, at first and after each change
   * @throws SessionLostError as soon as the session is over, whoever holds; ConflictError if somebody removed the ticket
   */
  async untilAdmitted(
    rule: Rule,
    signal: AbortSignal,
    onBlocked: (older: readonly KeyValue[]) => void,
  ): Promise<void> {
    let verdict = 'blocked' as Verdict;
    const look = (state: LineState): boolean => {
      verdict = this.#judge(state, rule, onBlocked);
      return verdict !== 'blocked';
    };
    // Free at first sight: no watch.
    if (!look(this.#taken)) {
      this.session.options.runtime.probe('ticket.waiting');
      await this.line.views.view(this.line.prefix).until(this.#taken, look, signal);
    }
    if (verdict === 'gone') await this.#explainGone(signal);
    await this.session.untilValid(signal);
  }

  /**
   * Removes the ticket, guarded by its create revision, until that is answered or the session is over. A delete needs no
   * space, so it works while the store is over its quota, and a late copy of it can never hit another ticket. If a requeue
   * has failed that was applied all the same, what it put is removed.
   *
   * @returns false if the ticket was gone before
   */
  async remove(): Promise<boolean> {
    return (await this.#giveUp()).hadIt;
  }

  /**
   * Gives up the place. Never rejects: what is refused now, by a withdrawn permission for example, is tried again until the
   * session is over, for the ticket would block the line for as long.
   */
  async leave(): Promise<void> {
    const { session } = this;
    await retry(session.options.runtime, () => this.remove(), {
      signal: session.signal,
      again: () => session.isAlive(),
    }).catch(() => {});
  }

  /**
   * Leaves and takes a new ticket at the end of the line, in one transaction. Consumes its own create revision, so a late
   * copy does nothing. While the store is over its quota it only leaves.
   */
  async requeue(): Promise<GivenUp> {
    return this.#giveUp(this.line.prefix + this.session.nextTicketName());
  }

  async #giveUp(nextKey?: string): Promise<GivenUp> {
    const { session } = this;
    const attempts = { isRepeated: false, isFull: false };
    try {
      return await retry(session.options.runtime, () => this.#exchange(nextKey, attempts), {
        signal: session.signal,
        maxDelayMs: 500,
        again: (error) => {
          // An earlier copy may have done it: then finding nothing means done.
          if (isConclaveError(error, 'OUTCOME_UNKNOWN')) attempts.isRepeated = true;
          else if (!isConclaveError(error, 'UNAVAILABLE')) return false;
          if (isSpaceExceeded(error)) attempts.isFull = true;
          return session.isAlive();
        },
      });
    } catch (error) {
      // The lease takes it away; nothing is known to have been lost before.
      if (!session.isAlive() || isConclaveError(error, 'CLOSED')) return { hadIt: true, next: undefined };
      throw error;
    }
  }

  async #exchange(
    nextKey: string | undefined,
    { isRepeated, isFull }: { readonly isRepeated: boolean; readonly isFull: boolean },
  ): Promise<GivenUp> {
    const { line, session } = this;
    const enter =
      nextKey === undefined || isFull
        ? []
        : [put(nextKey, line.ticketValue(session), { lease: session.leaseId })];
    // Looked for even if this copy puts no next ticket: an earlier one may have.
    const look = nextKey === undefined ? [] : [get(prefix(line.prefix))];
    const answer = await session.store.txn(
      { if: [this.guard()], then: [remove(this.key), ...enter, ...look], else: look },
      { timeoutMs: session.requestTimeoutMs, signal: session.signal },
    );
    if (nextKey !== undefined) session.options.runtime.probe('ticket.requeued');
    const seen = answer.responses.at(-1);
    const state = { revision: answer.header.revision, tickets: seen?.kind === 'get' ? seen.kvs : [] };
    const next = nextKey === undefined ? undefined : ticketIn(line, session, nextKey, state);
    return { hadIt: answer.succeeded || isRepeated || next !== undefined, next };
  }

  /** True in the store for exactly as long as this ticket stands. */
  guard(): ReturnType<typeof compare.createRevision> {
    return compare.createRevision(this.key, '=', this.createRevision);
  }

  #judge(state: LineState, rule: Rule, onBlocked: (older: readonly KeyValue[]) => void): Verdict {
    // A view from before this ticket says nothing about it.
    if (state.revision < this.createRevision) return 'blocked';
    const place = state.tickets.findIndex((ticket) => isTicket(ticket, this.key));
    const mine = state.tickets[place];
    if (mine?.createRevision !== this.createRevision) return 'gone';
    const older = state.tickets.slice(0, place);
    if (rule(older, mine)) return 'admitted';
    onBlocked(older);
    return 'blocked';
  }

  async #explainGone(signal: AbortSignal): Promise<never> {
    await raceSignal(this.session.confirm(), signal);
    this.session.assertAlive();
    throw new ConflictError(`ticket ${this.key} was removed from the line by somebody else`);
  }
}

/** How a ticket was given up. */
export interface GivenUp {
  /** False if it was gone before: what it held had been lost. */
  readonly hadIt: boolean;
  /** The new ticket, if one was taken. */
  readonly next: Ticket | undefined;
}

type Verdict = 'blocked' | 'admitted' | 'gone';

/** Thrown to try again at once, for a reason that has been dealt with. */
const tryAgain = new Error('try again');

async function takeOnce(
  line: Place,
  session: Session,
  key: string,
  { onlyIfFree, signal }: TakeOptions,
): Promise<Ticket | undefined> {
  const { runtime } = session.options;
  signal.throwIfAborted();
  session.assertAlive();
  runtime.probe('ticket.take');
  try {
    const answer = await session.store.txn(
      {
        if: [
          session.epoch.guard(),
          compare.createRevision(key, '=', 0n),
          ...(onlyIfFree ? [compare.createRevision(prefix(line.prefix), '=', 0n)] : []),
        ],
        then: [put(key, line.ticketValue(session), { lease: session.leaseId }), get(prefix(line.prefix))],
        else: [get(session.key), get(prefix(line.prefix))],
      },
      { timeoutMs: session.requestTimeoutMs },
    );
    runtime.probe('ticket.taken');
    const state = { revision: answer.header.revision, tickets: answer.responses[1].kvs };
    const mine = ticketIn(line, session, key, state);
    if (mine) return mine;
    if (!answer.succeeded && !session.epoch.learn(answer.responses[0].kvs[0])) throw session.signal.reason;
    if (onlyIfFree && state.tickets.length > 0) return undefined;
  } catch (error) {
    if (error instanceof NotFoundError) session.gone();
    session.assertAlive();
    if (!isConclaveError(error, 'OUTCOME_UNKNOWN')) throw error;
    const settled = await settle(line, session, key, error);
    runtime.probe(settled ? 'take.found' : 'take.dead');
    if (settled) return settled;
  }
  // The epoch had moved on, or the request is proved dead.
  throw tryAgain;
}

/**
 * Finds out what became of a take whose answer was lost.
 *
 * @returns the ticket if it was taken; undefined if it was not, and never will be
 */
async function settle(
  line: Place,
  session: Session,
  key: string,
  error: unknown,
): Promise<Ticket | undefined> {
  const looking = session.epoch.fenceThenLook(get(prefix(line.prefix)));
  if (isSpaceExceeded(error)) {
    // The proof needs a put and waits until there is space; meanwhile the ticket, if there is one, must block nobody.
    session.chore(looking.then(() => removeKey(session, key)).catch(() => {}));
    await removeKey(session, key).catch(() => {});
    throw new ResourceExhaustedError('the store is over its space quota: no ticket can be taken', {
      cause: error,
    });
  }
  const { revision, result } = await looking;
  return ticketIn(line, session, key, { revision, tickets: result.kvs });
}

/** Nobody else uses the key, so this needs no guard; until it is answered or the session is over. */
async function removeKey(session: Session, key: string): Promise<void> {
  const timeoutMs = session.requestTimeoutMs;
  await retry(
    session.options.runtime,
    () => session.store.remove(key, { timeoutMs, signal: session.signal }),
    {
      signal: session.signal,
      again: (error) => isConclaveError(error, 'OUTCOME_UNKNOWN') || isConclaveError(error, 'UNAVAILABLE'),
    },
  );
}

function ticketIn(
  line: Place,
  session: Session,
  key: string,
  { revision, tickets }: LineState,
): Ticket | undefined {
  const sorted = { revision, tickets: sortTickets(tickets) };
  const mine = tickets.find((ticket) => isTicket(ticket, key));
  return mine && new Ticket(line, session, key, mine.createRevision, sorted);
}

function isTicket(kv: KeyValue, key: string): boolean {
  return Buffer.from(kv.key).toString() === key;
}
