import { AlreadyHeldError } from '../base/errors.js';
import type { Place } from '../base/keys.js';
import { checkOptions, raceSignal } from '../base/wait.js';
import { remove } from '../store/operations.js';
import { Admission } from '../session/admission.js';
import type { Connection } from '../session/connection.js';
import { type Demand, demand } from '../session/demand.js';
import { Hold } from '../session/hold.js';
import { lineOf } from '../session/line-kinds.js';
import { Rewriter } from '../session/rewrite.js';
import { divide, readersShare } from '../session/rules.js';
import { takeTicketIf } from '../session/take.js';
import { readTicket, type TicketInfo } from '../session/ticket-value.js';
import { Ticket } from '../session/ticket.js';
import { Lock } from './lock.js';
import { checkReentrant, type ReentrantOptions } from './options.js';

/** Who stands in the line of a read/write lock, at one revision of the store. */
export interface RwLockState {
  readonly revision: bigint;
  /** One writer, or readers; `mode` says which. */
  readonly holders: readonly TicketInfo[];
  /** In the order in which they will get it. */
  readonly waiters: readonly TicketInfo[];
}

const reading = demand(readersShare, { mode: 'read' });
const writing = demand(readersShare, { mode: 'write' });

/**
 * A fair read/write lock, shared by every process that uses the same name: readers share it, a writer is alone.
 *
 * Guarantees:
 * - At any revision of the store the admitted tickets are those of readers, or one writer's.
 * - First come, first served: a waiting writer is not starved, for readers that come after it wait behind it.
 * - A waiter whose session is lost rejects at once, whoever holds.
 *
 * Not guaranteed: a holder paused past its lease can wake up and go on. A writer's `fencingToken` is larger than that of
 * every earlier holder; several readers are valid at a time, so guard what they write with `hold.guard()`, not with the
 * highest token seen.
 *
 * After the read/write lock of ZooKeeper's recipes; etcd's Go client has one (`recipes.RWMutex`) whose writers starve.
 */
export class RwLock {
  /** Shared with other readers. */
  readonly read: Lock<ReadHold>;
  /** Alone. */
  readonly write: Lock<WriteHold>;
  readonly #admission: Admission;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or option */
  constructor(connection: Connection, place: Place, options: ReentrantOptions = {}) {
    const line = lineOf(connection.namespace, 'rwLock', place);
    checkOptions(options, ['reentrant'], line.title);
    checkReentrant(options, line.title);
    this.#admission = new Admission(connection, {
      lines: [line],
      title: line.title,
      isReentrant: options.reentrant ?? false,
    });
    this.read = new Lock(this.#admission, reading, (admitted) => new ReadHold(admitted));
    this.write = new Lock(this.#admission, writing, (admitted) => new WriteHold(admitted));
  }

  /** Who holds and who waits, in order. One read. @throws ConflictError if a newer version of this library wrote a ticket */
  async inspect(): Promise<RwLockState> {
    const [state] = await this.#admission.read();
    if (!state) throw new TypeError('there is no line');
    const { holders, waiters } = divide(readersShare, state);
    return { revision: state.revision, holders: holders.map(readTicket), waiters: waiters.map(readTicket) };
  }
}

/** A reader's hold: others may read, too. */
export class ReadHold extends Hold {
  #isUpgrading = false;

  /** While it is being exchanged it cannot be asked for again. */
  protected override get demand(): Demand | undefined {
    return this.#isUpgrading ? undefined : reading;
  }

  /**
   * Becomes a writer if nobody else stands in the line, neither holding nor waiting; never waits. One round trip.
   *
   * The new hold has a token of its own, so writes under it are fenced against all earlier ones; this hold ends. A
   * callback (`read.run`) goes on under the new one, which is released when it has ended.
   *
   * @returns undefined if it is not alone: this hold stands as before
   * @throws HoldLostError if it is lost, or was released meanwhile; UnavailableError, this hold stands then;
   * ResourceExhaustedError if the store is over its quota: ask `isHeld()` then
   */
  async tryUpgrade(): Promise<WriteHold | undefined> {
    this.assertHeld();
    if (this.#isUpgrading || this.admitted.isShared) return undefined;
    this.#isUpgrading = true;
    const { ticket } = this.admitted;
    const exchange = raceSignal(exchangeIfAlone(ticket), ticket.session.signal);
    const taken = await this.admitted.replacing(exchange).catch(async (error: unknown) => {
      this.#isUpgrading = false;
      if (ticket.session.isAlive()) await ticket.session.confirm(); // it may have been exchanged all the same
      this.assertStanding();
      throw error;
    });
    this.assertStanding(); // released or lost meanwhile: then that gives back what was taken
    this.#isUpgrading = false;
    if (taken instanceof Ticket) return this.#becomeWriter(taken);
    const isThere = taken.some(([, { tickets }]) =>
      tickets.some(({ createRevision }) => createRevision === this.fencingToken),
    );
    if (!isThere) this.keyGone(ticket.key);
    this.assertStanding();
    return undefined;
  }

  /** While it is exchanged the key is gone, and not lost. */
  protected override keyGone(key: string): void {
    if (!this.#isUpgrading) super.keyGone(key);
  }

  async #becomeWriter(ticket: Ticket): Promise<WriteHold> {
    const hold = new WriteHold(this.admitted.replacedBy(ticket));
    await this.continueAs(hold);
    // Nothing is granted while the session is in doubt.
    await ticket.session.untilValid(ticket.session.signal).catch(() => {});
    hold.assertHeld();
    return hold;
  }
}

/**
 * In place it could not be done safely: a guard "nobody has come since" does not see a writer leave, who lets a reader
 * behind it pass. So the ticket is exchanged for a new one.
 */
async function exchangeIfAlone(ticket: Ticket): ReturnType<typeof takeTicketIf> {
  const { session, request, spots, key } = ticket;
  return takeTicketIf(
    { ...request, demand: writing },
    {
      signal: session.signal,
      if: [...ticket.guards(), ...spots.flatMap(({ line }) => line.isOnly(key))],
      then: [remove(key), ...ticket.unsaying('ask')],
    },
  );
}

/** A writer's hold: nobody else holds. */
export class WriteHold extends Hold {
  /**
   * Becomes a reader and keeps its place, so no writer comes in between; readers that wait right behind it are let in.
   *
   * The new hold has the same token; this hold ends, and nothing may be written any more from the call on. A callback
   * (`write.run`) goes on under the new one, which is released when it has ended.
   *
   * @throws HoldLostError; ResourceExhaustedError if the store is over its quota, AuthError if a permission was withdrawn:
   * then the lock is given back
   * @throws AlreadyHeldError if a callback holds it more than once (`reentrant`)
   */
  async downgrade(): Promise<ReadHold> {
    this.assertHeld();
    if (this.admitted.isShared) {
      throw new AlreadyHeldError(
        `${this.key} is held more than once here: somebody else counts on writing`,
        this,
      );
    }
    const { ticket } = this.admitted;
    const hold = new ReadHold(this.admitted);
    await this.continueAs(hold);
    try {
      await new Rewriter(ticket).write(reading.ticketValue(ticket.session));
      // Nothing is granted while the session is in doubt.
      await ticket.session.untilValid(ticket.session.signal);
      return hold;
    } catch (error) {
      // Whether others see a reader or a writer is not known: neither can be relied on.
      await hold[Symbol.asyncDispose]();
      throw hold.signal.aborted ? hold.signal.reason : error;
    }
  }
}
