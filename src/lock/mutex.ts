import { UnavailableError, WaitTimeoutError } from '../base/errors.js';
import { linePrefix, type Place } from '../base/keys.js';
import { checkOptions, type Wait, type WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import type { Hold } from '../session/hold.js';
import { Line } from '../session/line.js';
import type { Turn } from '../session/local-queue.js';
import { noOlderTicket } from '../session/rules.js';
import type { Ticket } from '../session/ticket.js';
import { readTicket, type TicketInfo } from '../session/ticket-value.js';

/** Who stands in a line, at one revision of the store. */
export interface MutexState {
  readonly revision: bigint;
  readonly holder: TicketInfo | undefined;
  /** In the order in which they will get it. Processes, not tasks: those of one process queue locally. */
  readonly waiters: readonly TicketInfo[];
}

/**
 * A fair mutual-exclusion lock, shared by every process that uses the same name.
 *
 * Guarantees:
 * - At any revision of the store at most one ticket is admitted.
 * - First come, first served between processes in the order of their tickets, and within one process. A process that
 *   releases while others of its own wait goes to the end of the line.
 * - A waiter whose session is lost rejects at once, whoever holds.
 *
 * Not guaranteed: a holder paused past its lease can wake up and go on as if it still held the lock. Guard writes to the
 * store with `hold.guard()`, and writes elsewhere with `hold.fencingToken`.
 *
 * Not reentrant: a task that acquires what it already holds waits for itself.
 *
 * After the recipe of etcd's Go client (`concurrency.Mutex`), whose keys it shares under `{ path }`; it differs in that a
 * waiter can never be granted a lock whose ticket is gone (etcd #11456), and in that nothing is read after the event.
 */
export class Mutex {
  readonly #line: Line;

  /** No I/O. @throws TypeError, RangeError for a bad name */
  constructor(connection: Connection, place: Place) {
    const prefix = linePrefix(connection.namespace, 'lock', place);
    const title = `mutex ${JSON.stringify(typeof place === 'string' ? place : place.path)}`;
    this.#line = new Line(connection, prefix, title);
  }

  /**
   * Waits for the lock. One round trip if it is free; if not, one and a watch, and none after the hand-over.
   *
   * When it rejects nothing is held; a ticket whose fate is not known yet is removed in the background, at the latest
   * with the session.
   *
   * @throws WaitTimeoutError naming who holds it; the signal's own reason; SessionLostError; ClosedError;
   * ConflictError if somebody removed the ticket; AuthError; ResourceExhaustedError if the store is over its quota
   */
  async acquire(options: WaitOptions = {}): Promise<Hold> {
    const wait = this.#line.startWait(options);
    try {
      if (wait.immediate) {
        const hold = await this.tryAcquire({ signal: options.signal });
        if (hold) return hold;
        throw wait.timeout();
      }
      const session = await this.#line.session(wait);
      const queue = this.#line.connection.queues.of(session, this.#line.prefix);
      if (queue.isBusy) wait.obstacle = '; another task of this process holds it, or waits for it, too';
      const turn = await queue.enter(wait.signal);
      wait.obstacle = '';
      const ticket = await this.#line.enter(session, noOlderTicket, wait, {
        ticket: turn.ticket,
        onLeft: () => turn.end(),
      });
      return this.#hold(ticket, turn, wait);
    } finally {
      wait.end();
    }
  }

  /**
   * Takes the lock if nobody holds it or waits for it, here or elsewhere. One round trip, and no trace if it is taken.
   * Never barges. A crashed holder whose lease has not run out yet counts as a holder.
   *
   * @returns undefined if it is not free
   * @throws UnavailableError if the store cannot be reached within `dialTimeoutMs`; SessionLostError; ClosedError
   */
  async tryAcquire(options: Pick<WaitOptions, 'signal'> = {}): Promise<Hold | undefined> {
    checkOptions(options, ['signal'], `${this.#line.title}: tryAcquire`);
    const { signal } = options;
    const { store } = this.#line.connection;
    const wait = this.#line.startWait({ signal, timeoutMs: store.timeoutMs });
    try {
      const session = await wait.race(this.#line.connection.session());
      wait.endsWith(session.signal);
      const queue = this.#line.connection.queues.of(session, this.#line.prefix);
      if (queue.isBusy) return undefined;
      const turn = await queue.enter(wait.signal);
      const ticket = await this.#line.tryEnter(session, wait, () => turn.end());
      if (ticket) return this.#hold(ticket, turn, wait);
      turn.end();
      return undefined;
    } catch (error) {
      if (signal?.aborted || !(error instanceof WaitTimeoutError)) throw error;
      throw new UnavailableError(`${error.message}: the store does not answer`, { cause: error });
    } finally {
      wait.end();
    }
  }

  /**
   * Runs `work` under the lock and releases in every case. Always waits for `work`.
   *
   * @throws the error of `work`; HoldLostError if it succeeded but the lock had been lost before it ended; what `acquire`
   * throws, before `work` was called
   */
  async run<T>(work: (hold: Hold) => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
    if (typeof work !== 'function') throw new TypeError('run needs a function');
    const hold = await this.acquire(options);
    return this.#line.connection.track(hold.during(work));
  }

  /** Who holds and who waits, in order. One read. @throws ConflictError if a newer version of this library wrote a ticket */
  async inspect(): Promise<MutexState> {
    this.#line.connection.closing.throwIfAborted();
    const { revision, tickets } = await this.#line.read();
    const [holder, ...waiters] = tickets.map(readTicket);
    return { revision, holder, waiters };
  }

  #hold(ticket: Ticket, turn: Turn, wait: Wait): Hold {
    return this.#line.hold(ticket, wait, {
      giveBack: () => giveBack(ticket, turn),
      onLeft: () => turn.end(),
    });
  }
}

/**
 * With somebody waiting in this process the ticket is exchanged for one at the end of the line, in one transaction: fair
 * to other processes, and cheaper than releasing and taking again.
 */
async function giveBack(ticket: Ticket, turn: Turn): Promise<boolean> {
  let next: Ticket | undefined;
  try {
    if (!turn.hasFollower()) return await ticket.remove();
    const given = await ticket.requeue();
    next = given.next;
    return given.hadIt;
  } catch (error) {
    ticket.session.chore(ticket.leave());
    throw error;
  } finally {
    turn.end(next);
  }
}
