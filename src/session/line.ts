import { isConclaveError } from '../base/errors.js';
import { retry } from '../store/retry.js';
import { Wait, type WaitOptions } from '../base/wait.js';
import { prefix } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import type { Connection } from './connection.js';
import { type GiveBack, Hold } from './hold.js';
import { type LineState, type LineViews, sortTickets } from './line-view.js';
import type { Rule } from './rules.js';
import type { Session } from './session.js';
import { describeTicket, encodeTicket } from './ticket-value.js';
import { type Place, Ticket } from './ticket.js';

export interface EnterOptions {
  /** One that stands in the line already, instead of taking a new one. */
  readonly ticket?: Ticket | undefined;
  /** Called if this rejects, once no trace of the attempt is left. */
  readonly onLeft?: () => void;
}

/**
 * Where tickets stand in order, under one prefix of the store. Everything that waits is a ticket in a line, and a rule.
 */
export class Line implements Place {
  readonly prefix: string;
  readonly connection: Connection;
  readonly title: string;

  constructor(connection: Connection, linePrefix: string, title: string) {
    this.connection = connection;
    this.prefix = linePrefix;
    this.title = title;
  }

  get views(): LineViews {
    return this.connection.views;
  }

  /** Starts the clock of a blocking call. @throws ClosedError, RangeError, the signal's reason */
  startWait(options: WaitOptions): Wait {
    const wait = Wait.start(this.connection.runtime, options, `${this.title} (${this.prefix})`);
    wait.endsWith(this.connection.closing);
    return wait;
  }

  /** The session to stand in line with. While the store is away, waits for it as long as `wait` lasts. */
  async session(wait: Wait): Promise<Session> {
    const session = await retry(this.connection.runtime, () => wait.race(this.connection.session()), {
      signal: wait.signal,
      again: (error) => {
        wait.obstacle = `; no session: ${String(error)}`;
        if (wait.signal.aborted) return false;
        return isConclaveError(error, 'UNAVAILABLE') || isConclaveError(error, 'OUTCOME_UNKNOWN');
      },
    });
    wait.obstacle = '';
    wait.endsWith(session.signal);
    return session;
  }

  /**
   * Takes a ticket and waits until the rule lets it pass.
   *
   * If it ends otherwise (timeout, abort, session lost) it rejects at once; the ticket, or whatever became of the request
   * for it, is settled and removed in the background, at the latest with the session.
   */
  async enter(session: Session, rule: Rule, wait: Wait, options: EnterOptions = {}): Promise<Ticket> {
    const taking = options.ticket
      ? Promise.resolve(options.ticket)
      : Ticket.take(this, session, { signal: wait.signal, isPatient: true });
    try {
      const ticket = await wait.race(taking);
      // Only a conditional take returns none.
      if (!ticket) throw new TypeError('no ticket was taken');
      await ticket.untilAdmitted(rule, wait.signal, (older) => (wait.obstacle = describeBlockers(older)));
      return ticket;
    } catch (error) {
      this.#abandon(session, taking, options.onLeft);
      throw error;
    }
  }

  /**
   * Takes a ticket if nobody stands in the line. Rejections leave nothing behind, as with `enter`.
   *
   * @param onLeft called if this rejects, once no trace of the attempt is left
   */
  async tryEnter(session: Session, wait: Wait, onLeft: () => void): Promise<Ticket | undefined> {
    const taking = Ticket.take(this, session, { signal: wait.signal, onlyIfFree: true });
    try {
      const ticket = await wait.race(taking);
      // Nobody was there when it was put: no rule needs to be asked.
      if (ticket) await session.untilValid(wait.signal);
      return ticket;
    } catch (error) {
      this.#abandon(session, taking, onLeft);
      throw error;
    }
  }

  /**
   * Makes a hold of an admitted ticket.
   *
   * @throws the reason of the wait, if it has ended since: `close` has told all holds to stop, and would miss this one
   */
  hold(ticket: Ticket, wait: Wait, { giveBack, onLeft }: { giveBack: GiveBack; onLeft: () => void }): Hold {
    try {
      // Asked in the same turn in which the hold becomes known.
      wait.signal.throwIfAborted();
      return new Hold(ticket, giveBack, wait.waitedMs());
    } catch (error) {
      this.#abandon(ticket.session, Promise.resolve(ticket), onLeft);
      throw error;
    }
  }

  /** The line as it is now: one linearizable read. */
  async read(): Promise<LineState> {
    const { header, kvs } = await this.connection.store.get(prefix(this.prefix));
    return { revision: header.revision, tickets: sortTickets(kvs) };
  }

  /**
   * Gives up a ticket, or what becomes of the request for it, in the background.
   *
   * @param onLeft called once no trace of it is left
   */
  #abandon(session: Session, taking: Promise<Ticket | undefined>, onLeft?: () => void): void {
    const left = taking.then((ticket) => ticket?.leave()).catch(() => {});
    session.chore(left.then(onLeft));
  }

  ticketValue(session: Session): string {
    return encodeTicket(session.options.holder, this.connection.runtime.wallNow());
  }
}

function describeBlockers(older: readonly KeyValue[]): string {
  const [oldest, ...others] = older;
  if (!oldest) return '';
  return `; held by ${describeTicket(oldest)}${others.length > 0 ? `, and ${others.length} more before us` : ''}`;
}
