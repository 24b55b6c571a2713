import { delayKey, type Place } from '../base/keys.js';
import { Admission } from '../session/admission.js';
import type { Connection } from '../session/connection.js';
import { type Demand, demand } from '../session/demand.js';
import { Hold } from '../session/hold.js';
import { Line, type LineState } from '../session/line.js';
import { lineOf } from '../session/line-kinds.js';
import { LockDelay } from '../session/lock-delay.js';
import { noOlderTicket } from '../session/rules.js';
import { readTicket, type TicketInfo } from '../session/ticket-value.js';
import { Lock } from './lock.js';
import { checkLockOptions, type LockOptions } from './options.js';

/** Who stands in a line, at one revision of the store. */
export interface MutexState {
  readonly revision: bigint;
  readonly holder: TicketInfo | undefined;
  /** In the order in which they will get it. Processes, not tasks: those of one process queue locally. */
  readonly waiters: readonly TicketInfo[];
}

/** To be alone: what holds a mutex, or each line of a multi-lock. */
export const exclusive: Demand = demand(noOlderTicket);

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
 * Reentrant only if asked for: see `LockOptions`.
 *
 * After the recipe of etcd's Go client (`concurrency.Mutex`), whose keys it shares under `{ path }`; it differs in that a
 * waiter can never be granted a lock whose ticket is gone (etcd #11456), and in that nothing is read after the event.
 */
export class Mutex extends Lock<Hold> {
  /** @internal No I/O. @throws TypeError, RangeError for a bad name or option */
  constructor(connection: Connection, place: Place, options: LockOptions = {}) {
    const line = lockLine(connection, place, options);
    const { reentrant = false } = options;
    const admission = new Admission(connection, {
      lines: [line],
      title: line.title,
      queuesLocally: true,
      isReentrant: reentrant,
    });
    super(admission, exclusive, (admitted) => new Hold(admitted));
  }

  /** Who holds and who waits, in order. One read. @throws ConflictError if a newer version of this library wrote a ticket */
  async inspect(): Promise<MutexState> {
    const [state] = await this.admission.read();
    return mutexState(state);
  }
}

export function mutexState({ revision, tickets }: LineState = nobody): MutexState {
  const [holder, ...waiters] = tickets.map(readTicket);
  return { revision, holder, waiters };
}

const nobody: LineState = { revision: 0n, tickets: [], settings: [] };

/** The line of a mutex: a multi-lock stands in the same. @throws TypeError, RangeError for a bad name or option */
export function lockLine(
  { namespace, runtime, seenMarkers }: Connection,
  place: Place,
  options: LockOptions,
): Line {
  const { prefix, title } = lineOf(namespace, 'mutex', place);
  const { lockDelayMs } = checkLockOptions(options, title);
  if (lockDelayMs === undefined) return new Line({ prefix, title });
  const delay = new LockDelay(runtime, delayKey(namespace, prefix), lockDelayMs, seenMarkers);
  return new Line({ prefix, title, delay });
}
