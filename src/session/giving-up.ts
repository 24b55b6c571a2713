import { isConclaveError } from '../base/errors.js';
import { compare, put, remove, txn, type TxnOp } from '../store/operations.js';
import { isSpaceExceeded } from '../store/outcome.js';
import { retry } from '../store/retry.js';
import { readsOf, Ticket } from './ticket.js';

/** How a ticket was given up. */
export interface GivenUp {
  /** False if it, or one of its keys, was gone before, or may have been: what it held had been lost. */
  readonly hadIt: boolean;
  /** The new ticket, if one was taken. */
  readonly next: Ticket | undefined;
}

/**
 * Removes the ticket, guarded by its create revision, until that is answered or the session is over. A delete needs no
 * space, so it works while the store is over its quota, and a late copy of it can never hit another ticket.
 *
 * @returns false if it was gone before
 */
export async function removeTicket(ticket: Ticket): Promise<boolean> {
  const { hadIt } = await giveUp(ticket, () => removeOnce(ticket));
  return hadIt;
}

/**
 * Gives up the place. Never rejects: what is refused now, by a withdrawn permission for example, is tried again until the
 * session is over, for the ticket would block the line for as long.
 */
export async function leaveLine(ticket: Ticket): Promise<void> {
  const { session } = ticket;
  await retry(session.options.runtime, () => removeTicket(ticket), {
    signal: session.signal,
    again: () => session.isAlive(),
  }).catch(() => {});
}

/**
 * Leaves and takes a new ticket at the end of the line, in one transaction. Consumes its own create revision, so a late
 * copy does nothing. While the store is over its quota it only leaves.
 */
export async function requeueTicket(ticket: Ticket): Promise<GivenUp> {
  const { news } = ticket.session;
  const name = ticket.session.nextTicketName(ticket.title);
  const nextKeys = ticket.spots.map(({ line }) => line.keyOf(name));
  let given: GivenUp | undefined;
  try {
    given = await giveUp(ticket, (attempts) => exchangeOnce(ticket, nextKeys, attempts));
    return given;
  } finally {
    if (!given?.next) news.end(name);
  }
}

interface Attempts {
  /** An earlier one may have been applied. */
  isRepeated: boolean;
  /** The store is over its quota. */
  isFull: boolean;
}

async function giveUp(
  { session, key }: Ticket,
  attempt: (attempts: Readonly<Attempts>) => Promise<GivenUp>,
): Promise<GivenUp> {
  const attempts: Attempts = { isRepeated: false, isFull: false };
  const wasValid = session.isValid();
  const attemptOnce = async (): Promise<GivenUp> => {
    const { hadIt, next } = await attempt(attempts);
    session.news.end(key);
    // Not found, but an earlier copy may have done it: then finding nothing means done.
    return { hadIt: hadIt || attempts.isRepeated || next !== undefined, next };
  };
  try {
    return await retry(session.options.runtime, attemptOnce, {
      signal: session.signal,
      maxDelayMs: 500,
      again: (error) => {
        if (isConclaveError(error, 'OUTCOME_UNKNOWN')) attempts.isRepeated = true;
        else if (!isConclaveError(error, 'UNAVAILABLE')) return false;
        if (isSpaceExceeded(error)) attempts.isFull = true;
        return session.isAlive();
      },
    });
  } catch (error) {
    if (isConclaveError(error, 'CLOSED')) return { hadIt: true, next: undefined };
    // The lease takes it away; if it has done so already, what was held may have been lost before this was asked for.
    if (!session.isAlive()) return { hadIt: wasValid && !isRevoked(session), next: undefined };
    throw error;
  }
}

/** The store has removed the lease; whether before or after the ticket was given up, nobody knows any more. */
function isRevoked({ signal }: Ticket['session']): boolean {
  const reason: unknown = signal.reason;
  return isConclaveError(reason, 'SESSION_LOST') && reason.reason === 'revoked';
}

/** Key by key: should one be gone, the others go all the same. */
async function removeOnce(ticket: Ticket): Promise<GivenUp> {
  const { session, spots, createRevision } = ticket;
  const removals = spots.map(({ line, key }): TxnOp => {
    const mine = compare.createRevision(key, '=', createRevision);
    return txn({ if: [mine], then: [remove(key), ...line.leaving(key)] });
  });
  const [only, ...others] = removals;
  const unsaying = ticket.unsaying('ask', 'forced');
  const parts =
    only && others.length === 0
      ? { if: only.if, then: [...only.then, ...ticket.unsaying('ask')], else: unsaying }
      : { then: [...removals, ...unsaying] };
  const answer = await session.store.txn(parts, {
    timeoutMs: session.requestTimeoutMs,
    signal: session.signal,
  });
  const hadEach =
    others.length === 0 || answer.responses.every((each) => each.kind !== 'txn' || each.succeeded);
  return { hadIt: answer.succeeded && hadEach, next: undefined };
}

async function exchangeOnce(
  ticket: Ticket,
  nextKeys: readonly string[],
  { isFull }: Readonly<Attempts>,
): Promise<GivenUp> {
  const { session, spots, request } = ticket;
  const value = request.demand.ticketValue(session);
  const exchange = spots.flatMap(({ line, key }, i) => [
    remove(key),
    ...line.leaving(key),
    ...(isFull ? [] : [put(nextKeys[i] ?? '', value, { lease: session.leaseId })]),
  ]);
  // Looked for even if this copy puts no next ticket: an earlier one may have.
  const reads = readsOf(request.lines);
  const answer = await session.store.txn(
    {
      if: ticket.guards(),
      then: [...exchange, ...ticket.unsaying('ask'), ...reads],
      else: [...ticket.unsaying('ask', 'forced'), ...reads],
    },
    { timeoutMs: session.requestTimeoutMs, signal: session.signal },
  );
  session.options.runtime.probe('ticket.requeued');
  const results = answer.responses.slice(-reads.length);
  const next = Ticket.among({ revision: answer.header.revision, results }, request, nextKeys);
  return { hadIt: answer.succeeded, next };
}
