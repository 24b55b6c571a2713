import { AlreadyHeldError, UnavailableError, WaitTimeoutError } from '../base/errors.js';
import { checkOptions, Wait, type WaitOptions } from '../base/wait.js';
import { prefix } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import type { Connection } from './connection.js';
import type { Demand } from './demand.js';
import { leaveLine, removeTicket, requeueTicket } from './giving-up.js';
import { Admitted } from './admitted.js';
import type { Hold } from './hold.js';
import type { Line, LineState } from './line.js';
import type { Turn } from './local-queue.js';
import { describeBlockers, hintFor, noAnswer } from './obstacles.js';
import { passDelays } from './pass-delays.js';
import { grantedHere } from './scope.js';
import type { Session } from './session.js';
import { sessionToWaitWith } from './session-to-wait-with.js';
import { takeIfAdmitted, takeTicket } from './take.js';
import { readsOf, type Request, statesOf, type Ticket } from './ticket.js';

export interface AdmissionOptions {
  readonly lines: readonly Line[];
  /** For messages: `mutex "orders/42"`. */
  readonly title: string;
  /**
   * Contenders of one process wait for each other here, and only the first of them in the store. For one line, and for
   * demands that exclude each other.
   * @default false
   */
  readonly queuesLocally?: boolean;
  /** A callback that asks for what it holds gets it once more; undefined: there is no such choice. */
  readonly isReentrant?: boolean | undefined;
}

export type TryOptions = Pick<WaitOptions, 'signal'>;

/** Makes the kind of hold that a primitive gives out. */
export type Make<H extends Hold> = (admitted: Admitted) => H;

/** How something gets into its lines: from the call to the hold, and what an attempt that fails leaves behind: nothing. */
export class Admission {
  readonly connection: Connection;
  readonly #options: AdmissionOptions;

  constructor(connection: Connection, options: AdmissionOptions) {
    this.connection = connection;
    this.#options = options;
  }

  /**
   * Waits until the demand may pass.
   *
   * If it ends otherwise (timeout, abort, session lost) it rejects at once; the ticket, or whatever became of the request
   * for it, is settled and removed in the background, at the latest with the session.
   */
  async acquire<H extends Hold>(demand: Demand, options: WaitOptions, make: Make<H>): Promise<H> {
    const wait = this.#startWait(options);
    try {
      const held = this.#heldHere(demand);
      if (held?.again) return await this.#join(held.again, wait, make);
      if (held) throw this.#alreadyHeld(held.ticket);
      if (wait.immediate) {
        const hold = await this.tryAcquire(demand, { signal: options.signal }, make);
        if (hold) return hold;
        throw wait.timeout();
      }
      const session = await sessionToWaitWith(this.connection, wait);
      const turn = await this.#turn(session, wait);
      return await this.#grant(await this.#enter(session, demand, wait, turn), turn, wait, make);
    } finally {
      wait.end();
    }
  }

  /** Never waits for others, and never stands in line. @returns undefined if the demand cannot pass now */
  async tryAcquire<H extends Hold>(
    demand: Demand,
    options: TryOptions,
    make: Make<H>,
  ): Promise<H | undefined> {
    checkOptions(options, ['signal'], `${this.#options.title}: tryAcquire`);
    const { signal } = options;
    const wait = this.#startWait({ signal, timeoutMs: this.connection.store.timeoutMs });
    try {
      const held = this.#heldHere(demand);
      if (held) return held.again && (await this.#join(held.again, wait, make));
      const session = await wait.race(this.connection.session());
      wait.endsWith(session.signal);
      if (this.#queue(session)?.isBusy) return undefined;
      const turn = await this.#turn(session, wait);
      const ticket = await this.#tryEnter(session, demand, wait, turn);
      if (ticket) return await this.#grant(ticket, turn, wait, make);
      turn.end();
      return undefined;
    } catch (error) {
      if (signal?.aborted || !(error instanceof WaitTimeoutError)) throw error;
      throw new UnavailableError(`${error.message}: the store does not answer`, { cause: error });
    } finally {
      wait.end();
    }
  }

  /** Acquires, runs `work` under the hold, and releases in every case. */
  async run<H extends Hold, T>(acquire: () => Promise<H>, work: (hold: H) => T | Promise<T>): Promise<T> {
    if (typeof work !== 'function') throw new TypeError('run needs a function');
    const hold = await acquire();
    return this.connection.track(hold.during(work));
  }

  /** Starts the clock of a blocking call. @throws ClosedError, RangeError, the signal's reason */
  #startWait(options: WaitOptions): Wait {
    const { lines, title } = this.#options;
    const where = lines.map(({ prefix }) => prefix).join(', ');
    const wait = Wait.start(this.connection.runtime, options, `${title} (${where})`);
    wait.endsWith(this.connection.closing);
    return wait;
  }

  #queue(session: Session): ReturnType<Connection['queues']['of']> | undefined {
    const [line] = this.#options.lines;
    if (!this.#options.queuesLocally || !line) return undefined;
    return this.connection.queues.of(session, line.prefix);
  }

  async #turn(session: Session, wait: Wait): Promise<Turn> {
    const queue = this.#queue(session);
    if (!queue) return alone;
    if (queue.isBusy) wait.obstacle = '; another task of this process holds it, or waits for it, too';
    const turn = await queue.enter(wait.signal);
    wait.obstacle = '';
    return turn;
  }

  #request(session: Session, demand: Demand): Request {
    const { lines, title } = this.#options;
    return { lines, title, session, demand, views: this.connection.views };
  }

  async #enter(session: Session, demand: Demand, wait: Wait, turn: Turn): Promise<Ticket> {
    const request = this.#request(session, demand);
    const take = (): Promise<Ticket> => takeTicket(request, { signal: wait.signal, isPatient: true });
    let taking = turn.ticket ? Promise.resolve(turn.ticket) : take();
    try {
      while (true) {
        wait.obstacle = noAnswer;
        const ticket = await wait.race(taking);
        wait.obstacle = '';
        const onBlocked = (older: readonly KeyValue[], line: Line): void => {
          wait.obstacle = describeBlockers(older, request.lines.length > 1 ? `; ${line.title} is` : ';');
        };
        if ((await ticket.untilAdmitted(wait.signal, onBlocked)) === 'admitted') return ticket;
        taking = goBehind(ticket, take);
      }
    } catch (error) {
      this.#abandon(session, taking, turn);
      throw error;
    }
  }

  async #tryEnter(session: Session, demand: Demand, wait: Wait, turn: Turn): Promise<Ticket | undefined> {
    const request = this.#request(session, demand);
    const taking = takeIfAdmitted(request, wait.signal);
    try {
      const ticket = await wait.race(taking);
      if (ticket) await session.untilValid(wait.signal);
      return ticket;
    } catch (error) {
      this.#abandon(session, taking, turn);
      throw error;
    }
  }

  /**
   * Makes a hold of an admitted ticket.
   *
   * @throws the reason of the wait, if it has ended since: `close` has told all holds to stop, and would miss this one
   */
  async #grant<H extends Hold>(ticket: Ticket, turn: Turn, wait: Wait, make: Make<H>): Promise<H> {
    try {
      await wait.race(passDelays(ticket, wait));
      // Asked in the same turn in which the hold becomes known.
      wait.signal.throwIfAborted();
      return make(new Admitted(ticket, wait.waitedMs(), (held) => giveBack(held, turn)));
    } catch (error) {
      this.#abandon(ticket.session, Promise.resolve(ticket), turn);
      throw error;
    }
  }

  /** One more hold on a ticket, at once: it must not be given back meanwhile. @throws ClosedError */
  async #join<H extends Hold>(held: Admitted, wait: Wait, make: Make<H>): Promise<H> {
    wait.signal.throwIfAborted();
    const hold = make(held);
    try {
      await held.ticket.session.untilValid(wait.signal);
      return hold;
    } catch (error) {
      await hold[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Gives up a ticket, or what becomes of the request for it, in the background; then ends the turn. */
  #abandon(session: Session, taking: Promise<Ticket | undefined>, turn: Turn): void {
    const left = taking.then((ticket) => ticket && leaveLine(ticket)).catch(() => {});
    session.chore(left.then(() => turn.end()));
  }

  /** What a callback around this code holds of these lines; for the reentrant, whether it is what the demand asks for. */
  #heldHere(demand: Demand): { readonly ticket: Ticket; readonly again: Admitted | undefined } | undefined {
    const { lines, isReentrant } = this.#options;
    const granted = grantedHere().find(({ admitted }) =>
      admitted.ticket.standsIn(this.connection.store, lines),
    );
    if (!granted) return undefined;
    const { ticket } = granted.admitted;
    const isSame = granted.demand === demand && ticket.spots.length === lines.length;
    const isAll = lines.every((line) => ticket.standsIn(this.connection.store, [line]));
    return { ticket, again: isReentrant === true && isSame && isAll ? granted.admitted : undefined };
  }

  #alreadyHeld({ spots, createRevision }: Ticket): AlreadyHeldError {
    const { isReentrant, title, lines } = this.#options;
    const shared = spots.find(({ line }) => lines.some(({ prefix }) => prefix === line.prefix));
    const key = shared?.key ?? '';
    const facts = { key, fencingToken: createRevision };
    return new AlreadyHeldError(
      `${title}: the callback that asks holds ${key} already (${hintFor(isReentrant)})`,
      facts,
    );
  }

  /** The lines as they are now, all at one revision: one linearizable read. */
  async read(): Promise<readonly LineState[]> {
    const { connection } = this;
    connection.closing.throwIfAborted();
    const { lines } = this.#options;
    const [only, ...others] = lines;
    if (only && others.length === 0) {
      const { header, kvs } = await connection.store.get(prefix(only.prefix));
      return [only.stateOf(header.revision, kvs)];
    }
    const { header, responses } = await connection.store.txn({ then: readsOf(lines) });
    return statesOf(lines, { revision: header.revision, results: responses }).map(([, state]) => state);
  }
}

/** Should the store have no space for a new ticket now, one is taken in the usual way. */
async function goBehind(ticket: Ticket, take: () => Promise<Ticket>): Promise<Ticket> {
  const { hadIt, next } = await requeueTicket(ticket).catch((error: unknown) => {
    ticket.session.chore(leaveLine(ticket));
    throw error;
  });
  if (next) return next;
  return hadIt ? take() : ticket.explainGone(ticket.session.signal);
}

/** The turn of whoever does not queue locally. */
const alone: Turn = {
  ticket: undefined,
  hasFollower: () => false,
  end: () => {},
};

/**
 * With somebody waiting in this process the ticket is exchanged for one at the end of the line, in one transaction: fair
 * to other processes, and cheaper than releasing and taking again.
 */
async function giveBack(ticket: Ticket, turn: Turn): Promise<boolean> {
  let next: Ticket | undefined;
  try {
    if (!turn.hasFollower()) return await removeTicket(ticket);
    const given = await requeueTicket(ticket);
    next = given.next;
    return given.hadIt;
  } catch (error) {
    ticket.session.chore(leaveLine(ticket));
    throw error;
  } finally {
    turn.end(next);
  }
}
