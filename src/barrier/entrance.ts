import { BrokenBarrierError, ConflictError } from '../base/errors.js';
import type { Place } from '../base/keys.js';
import { raceSignal, type Wait, type WaitOptions, withGrace } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { demand } from '../session/demand.js';
import { leaveLine } from '../session/giving-up.js';
import { Line, type LineState } from '../session/line.js';
import { lineHistory } from '../session/line-history.js';
import { noOlderTicket } from '../session/rules.js';
import type { Session } from '../session/session.js';
import { sessionToWaitWith } from '../session/session-to-wait-with.js';
import { takeTicket } from '../session/take.js';
import type { Request, Ticket } from '../session/ticket.js';
import { BarrierKeys, type BarrierKind } from './barrier-keys.js';
import { type Cleaning, withCleaning } from './cleaning.js';
import { untilDecided } from './council.js';
import { type BarrierRules, Entering, type Fate } from './entering.js';
import type { Party } from './outcome-value.js';
import { type Standing, standingOf } from './standing.js';
import { sweep, sweepAll } from './sweeping.js';
import { startWait } from './until-seen.js';
import { withdraw } from './withdrawal.js';

/** How many of a round have come, at one revision of the store. */
export interface BarrierProgress {
  readonly arrived: number;
  readonly parties: number;
  readonly revision: bigint;
}

/** One whose round has tripped. Its ticket still stands. */
export interface Entered {
  readonly ticket: Ticket;
  readonly fate: Extract<Fate, { kind: 'tripped' }>;
}

/** The way into a barrier: from the call to the round that has tripped, and what an attempt that fails leaves behind: nothing. */
export class Entrance {
  readonly connection: Connection;
  readonly keys: BarrierKeys;
  readonly rules: BarrierRules;

  /** @throws TypeError, RangeError for a bad name or path */
  constructor(
    connection: Connection,
    place: Place,
    { kind, parties }: { readonly kind: BarrierKind; readonly parties: number },
  ) {
    this.connection = connection;
    this.keys = new BarrierKeys(connection.namespace, kind, place);
    this.rules = { keys: this.keys, parties, isExclusive: kind === 'double barrier' };
  }

  get title(): string {
    return this.keys.title;
  }

  /**
   * Comes, and waits for the others.
   *
   * Who gives up asks the store first whether the round has tripped: then it has, also for this one. Only if the store does not
   * answer in the time of a request it rejects without knowing.
   *
   * @param use makes something of it, in the turn in which it is known; the ticket is its business from then on
   */
  async enter<T>(options: WaitOptions, use: (entered: Entered) => T): Promise<T> {
    const wait = startWait(this.connection, options, `${this.title} (${this.keys.prefix})`);
    try {
      const session = await sessionToWaitWith(this.connection, wait);
      return await withCleaning(session, async (cleaning) => {
        const isImmediate = options.timeoutMs === 0;
        const { ticket, fate } = await this.#enter(session, { wait, isImmediate, cleaning });
        const isClosing = this.connection.closing.aborted;
        // Whoever closes has told all passes to stop already, and would overlook this one.
        if (fate.kind === 'tripped' && session.isAlive() && !isClosing) return use({ ticket, fate });
        if (fate.kind !== 'refused' || !fate.isWithdrawn) cleaning.add(leaveLine(ticket));
        return this.#reject(ticket, fate, wait);
      });
    } finally {
      wait.end();
    }
  }

  /** How many have come, now and whenever that changes. */
  async *progress(signal: AbortSignal | undefined): AsyncGenerator<BarrierProgress, void, undefined> {
    const { parties } = this.rules;
    const line = new Line({ prefix: this.keys.prefix, ticketPrefix: this.keys.in, title: this.title });
    let last = -1;
    for await (const state of lineHistory(this.connection, line, { signal })) {
      const arrived = Math.min(parties, standingOf(this.keys, state).round(parties).length);
      if (arrived === last) continue;
      last = arrived;
      yield { arrived, parties, revision: state.revision };
    }
  }

  /** That a round was broken. */
  broken({ ticket, holder }: Party, what = ''): BrokenBarrierError {
    const key = this.keys.in + ticket;
    const message = `${this.title}: the round is broken${what}: ${holder} (${key}) is gone`;
    return new BrokenBarrierError(message, { key, party: holder });
  }

  async #enter(session: Session, { wait, isImmediate, cleaning }: Attempt): Promise<Fated> {
    const seen: Seen = { standing: undefined };
    const taking = takeTicket(this.#request(session, seen), { signal: wait.signal, isPatient: true });
    try {
      wait.obstacle = noAnswer;
      const ticket = await wait.race(taking);
      const fate = await this.#decided(ticket, seen, wait, isImmediate);
      if (fate.kind !== 'refused') return { ticket, fate };
      // Something may have been decided about it meanwhile.
      const late = await wait.race(withdraw(this.keys, ticket));
      return { ticket, fate: late ?? { ...fate, isWithdrawn: true } };
    } catch (error) {
      const fate = await this.#giveUp(session, taking, { wait, cleaning, error });
      return { ticket: await taking, fate };
    }
  }

  async #decided(ticket: Ticket, seen: Seen, wait: Wait, isImmediate: boolean): Promise<Fate> {
    const { parties } = this.rules;
    const entering = new Entering(this.rules, ticket, (standing) => {
      seen.standing = standing;
      wait.obstacle = `; ${Math.min(parties, standing.round(parties).length)} of ${parties} have come`;
    });
    const taken = ticket.spots[0]?.taken ?? nothing;
    return untilDecided(ticket, entering, taken, {
      signal: wait.signal,
      ...(isImmediate && { whyNotWait: () => wait.timeout() }),
    });
  }

  /** @returns what was decided before this could be taken back @throws `error` */
  async #giveUp(
    session: Session,
    taking: Promise<Ticket>,
    { wait, cleaning, error }: Pick<Attempt, 'wait' | 'cleaning'> & { readonly error: unknown },
  ): Promise<Fate> {
    const withdrawing = taking.then((ticket) => withdraw(this.keys, ticket));
    const grace = { signal: wait.signal, graceMs: session.requestTimeoutMs };
    const fate = await withGrace(this.connection.runtime, grace, (over) =>
      raceSignal(withdrawing, over),
    ).catch(() => undefined);
    if (fate) return fate;
    const leaving = withdrawing.then(
      async (late) => late && leaveLine(await taking),
      async () => leaveLine(await taking),
    );
    cleaning.add(leaving);
    throw error;
  }

  async #reject({ key, session, news }: Ticket, fate: Fate, { signal }: Wait): Promise<never> {
    if (fate.kind === 'gone') await raceSignal(session.confirm(), signal);
    session.assertAlive();
    this.connection.closing.throwIfAborted();
    if (fate.kind === 'broken') throw this.broken(fate.by);
    if (fate.kind === 'refused') throw new ConflictError(`${this.title}: ${fate.why}`);
    throw news.whyGone(key);
  }

  #request(session: Session, seen: Seen): Request {
    const { keys, title, rules } = this;
    const line: Line = new Line({
      prefix: keys.prefix,
      ticketPrefix: keys.in,
      title,
      leaving: (key) => [
        ...(seen.standing ? sweep(keys, seen.standing, key) : []),
        sweepAll(keys, line.isOnly(key)),
      ],
    });
    return {
      lines: [line],
      title,
      session,
      // Not by a rule: what becomes of it is written down.
      demand: demand(noOlderTicket, { parties: rules.parties }),
      views: this.connection.views,
    };
  }
}

interface Fated {
  readonly ticket: Ticket;
  readonly fate: Fate;
}

interface Attempt {
  readonly wait: Wait;
  readonly isImmediate: boolean;
  readonly cleaning: Cleaning;
}

/** The barrier as it was when it was last looked at. */
interface Seen {
  standing: Standing | undefined;
}

const noAnswer = '; the store has not answered yet';
const nothing: LineState = { revision: 0n, tickets: [], settings: [] };
