import { setMaxListeners } from 'node:events';
import { ConflictError } from '../base/errors.js';
import { ticketNameIn } from '../base/keys.js';
import type { Wait, WaitOptions } from '../base/wait.js';
import { demand } from '../session/demand.js';
import { leaveLine } from '../session/giving-up.js';
import { Line, type LineState } from '../session/line.js';
import type { Dependent } from '../session/lookout.js';
import { noOlderTicket } from '../session/rules.js';
import type { Session } from '../session/session.js';
import { type NotTaken, takeTicketIf } from '../session/take.js';
import { type Request, Ticket } from '../session/ticket.js';
import { compare, prefix, remove, txn } from '../store/operations.js';
import { type Cleaning, withCleaning } from './cleaning.js';
import { untilDecided } from './council.js';
import type { Entered, Entrance } from './entrance.js';
import { Leaving } from './leaving.js';
import type { Outcome } from './outcome-value.js';
import type { Standing } from './standing.js';
import { sweep, sweepAll } from './sweeping.js';
import { startWait } from './until-seen.js';

/** Being inside a double barrier, together with all the others of the round. */
export class Pass implements AsyncDisposable {
  /** The key of the ticket. */
  readonly key: string;
  /** The same for all parties of the round, and larger than that of every round before: a revision of the store. */
  readonly round: bigint;
  /** In which order the parties had come: 0 for the first. */
  readonly index: number;
  /**
   * Aborts when this party is, or may be, not inside any more (`SessionLostError`, or `ConflictError` if somebody removed its
   * ticket), and with `ClosedError` when the program is asked to stop. Never by leaving.
   */
  readonly signal: AbortSignal;

  readonly #entrance: Entrance;
  readonly #ticket: Ticket;
  readonly #fate: Entered['fate'];
  readonly #controller = new AbortController();
  readonly #dependent: Dependent;
  #leaving: Promise<void> | undefined;
  #body: Promise<unknown> | undefined;

  /** @internal Passes come from the barrier. */
  constructor(entrance: Entrance, { ticket, fate }: Entered) {
    this.#entrance = entrance;
    this.#ticket = ticket;
    this.#fate = fate;
    this.key = ticket.key;
    this.round = fate.round;
    this.index = fate.index;
    this.signal = this.#controller.signal;
    setMaxListeners(0, this.signal); // whatever can be interrupted listens: many are no leak
    this.#dependent = {
      key: ticket.key,
      createRevision: ticket.createRevision,
      stop: (reason) => this.#stop(reason),
      sessionLost: (error) => this.#controller.abort(error),
      keyGone: () => this.#controller.abort(this.#removed()),
    };
    ticket.session.remember(this.#dependent);
  }

  /**
   * Leaves, and waits until all the others do. One round trip and a watch; two for the last one, who needs no watch. Idempotent:
   * the options of the first call count.
   *
   * However it ends, this party has left. If it gives up waiting (timeout, signal, close), the others get
   * `BrokenBarrierError`, for it has gone without them; unless all had left before the store heard of that.
   *
   * @throws BrokenBarrierError if one of the others is gone without having left: it has died, or has given up
   * @throws SessionLostError if this party was lost before; ConflictError if somebody removed its ticket; WaitTimeoutError; the
   * signal's reason; ClosedError; AuthError; TypeError, RangeError for bad options, before anything is sent: then it is
   * still inside
   */
  async leave(options: WaitOptions = {}): Promise<void> {
    this.#leaving ??= this.#leave(this.#startWait(options), options.timeoutMs === 0);
    return this.#leaving;
  }

  /** Leaves as `leave` does, but never rejects: it cannot mask the error of the body. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave().catch(() => {});
  }

  /** @internal Runs `work` inside, then leaves. @param signal ends the waiting for the others */
  during<T>(work: (pass: Pass) => T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const body = this.#run(work, signal);
    this.#body = body;
    return body;
  }

  async #run<T>(work: (pass: Pass) => T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    let result: T;
    try {
      result = await work(this);
    } catch (error) {
      await this.leave({ signal }).catch(() => {}); // The body's error is the one to report.
      throw error;
    }
    await this.leave({ signal });
    return result;
  }

  /** @throws TypeError, RangeError */
  #startWait(options: WaitOptions): Wait {
    const { title, connection } = this.#entrance;
    const what = `${title}: leave`;
    if (!options.signal?.aborted) return startWait(connection, options, what);
    // It leaves all the same, and waits for nobody.
    const wait = startWait(connection, { ...options, signal: undefined }, what);
    wait.endsWith(options.signal);
    return wait;
  }

  async #leave(wait: Wait, isImmediate: boolean): Promise<void> {
    const { session } = this.#ticket;
    try {
      session.forget(this.#dependent);
      session.assertAlive();
      wait.endsWith(session.signal);
      await withCleaning(session, (cleaning) => this.#leaveWithAll(session, { wait, isImmediate, cleaning }));
    } finally {
      wait.end();
    }
  }

  async #leaveWithAll(session: Session, { wait, isImmediate, cleaning }: Attempt): Promise<void> {
    const seen: Seen = { standing: undefined };
    // The wait does not end this: inside there must be nobody who is gone.
    const taking = takeTicketIf(this.#request(session, seen), {
      signal: session.signal,
      isPatient: true,
      if: this.#ticket.guards(),
      then: [remove(this.key)],
    });
    try {
      wait.obstacle = '; the store has not answered yet';
      const taken = await wait.race(taking);
      const outcome =
        taken instanceof Ticket ? await this.#decided(taken, seen, { wait, isImmediate }) : 'gone';
      if (outcome === 'gone') return await this.#explainGone(session, wait);
      const { title } = this.#entrance;
      if (outcome.kind === 'broken') throw this.#entrance.broken(outcome.by, ' while it was left');
      if (outcome.kind === 'unreadable') throw new ConflictError(`${title}: its outcome cannot be read`);
    } finally {
      cleaning.add(this.#clean(taking));
    }
  }

  #decided(
    ticket: Ticket,
    seen: Seen,
    { wait, isImmediate }: Pick<Attempt, 'wait' | 'isImmediate'>,
  ): Promise<Outcome | 'gone'> {
    const { parties, round } = this.#fate;
    const onSeen = (standing: Standing): void => {
      seen.standing = standing;
      wait.obstacle = `; ${standing.leave(round).tickets.length} of ${parties.length} have left`;
    };
    const leaving = new Leaving({ keys: this.#entrance.keys, round, parties, onSeen }, ticket);
    return untilDecided(ticket, leaving, ticket.spots[0]?.taken ?? nothing, {
      signal: wait.signal,
      ...(isImmediate && { whyNotWait: () => wait.timeout() }),
    });
  }

  async #explainGone(session: Session, wait: Wait): Promise<never> {
    await wait.race(session.confirm());
    session.assertAlive();
    throw this.#removed();
  }

  async #clean(taking: Promise<Ticket | NotTaken>): Promise<void> {
    const taken = await taking.catch(() => undefined);
    // Not even that could be done: then it goes as one that has died.
    if (taken === undefined) return leaveLine(this.#ticket);
    this.#ticket.session.news.end(this.key);
    if (taken instanceof Ticket) await leaveLine(taken);
  }

  async #stop(reason: Error): Promise<void> {
    this.#controller.abort(reason);
    // A handle has nobody to wait for. A callback is waited for, and leaves by itself.
    if (this.#body) await this.#body.catch(() => {});
    await this[Symbol.asyncDispose]();
  }

  #removed(): ConflictError {
    return this.#ticket.news.whyGone(this.key);
  }

  #request(session: Session, seen: Seen): Request {
    const { keys, title } = this.#entrance;
    const { round } = this.#fate;
    const line: Line = new Line({
      prefix: keys.prefix,
      ticketPrefix: keys.leaving(round),
      title,
      leaving: (key) => [
        ...(seen.standing ? sweep(keys, seen.standing, key) : []),
        ...(isEmpty(seen.standing, round)
          ? [txn({ if: line.isOnly(key), then: [remove(keys.leaveOut(round))] })]
          : []),
        sweepAll(keys, [compare.createRevision(prefix(keys.in), '=', 0n)]),
      ],
    });
    return {
      lines: [line],
      title,
      session,
      demand: demand(noOlderTicket, { entered: ticketNameIn(this.key) }),
      views: this.#entrance.connection.views,
    };
  }
}

/** Nobody of the round is inside any more, so nobody can come who would ask how it was left. */
function isEmpty(standing: Standing | undefined, round: bigint): boolean {
  return standing?.tickets.every(({ createRevision }) => createRevision > round) ?? false;
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

const nothing: LineState = { revision: 0n, tickets: [], settings: [] };
