import { toBytes } from '../base/bytes.js';
import { isConclaveError } from '../base/errors.js';
import { ticketNameIn } from '../base/keys.js';
import { kvsOf, type Ticket } from '../session/ticket.js';
import { compare, put, remove, txn } from '../store/operations.js';
import { retry } from '../store/retry.js';
import type { BarrierKeys } from './barrier-keys.js';
import { type Fate, fateIn } from './entering.js';
import { standingOf } from './standing.js';
import { sweepAll } from './sweeping.js';

/**
 * Goes again, unless something was decided about the ticket first. Names its create revision, so a copy that comes late does
 * nothing. Tries until it is answered, or the session is over.
 *
 * @returns what was decided: the ticket still stands then; undefined if it is gone
 * @throws AuthError
 */
export async function withdraw(keys: BarrierKeys, ticket: Ticket): Promise<Fate | undefined> {
  const { session } = ticket;
  const fate = await retry(session.options.runtime, () => withdrawOnce(keys, ticket), {
    signal: session.signal,
    maxDelayMs: 500,
    again: (error) =>
      session.isAlive() &&
      (isConclaveError(error, 'OUTCOME_UNKNOWN') || isConclaveError(error, 'UNAVAILABLE')),
  });
  if (fate === undefined) session.news.end(ticket.key);
  return fate;
}

async function withdrawOnce(keys: BarrierKeys, ticket: Ticket): Promise<Fate | undefined> {
  const { session, key, createRevision, spots } = ticket;
  const line = spots[0]?.line;
  if (!line) return undefined;
  const isUndecided = compare.createRevision(keys.outsFrom(createRevision), '=', 0n);
  // All of the round see at the same revision that the ticket is gone, and that it has left. If nobody else is there,
  // nobody needs to see it, and nothing may stay.
  const going = txn({
    if: line.isOnly(key),
    then: [remove(key), sweepAll(keys, [])],
    else: [remove(key), put(keys.left, ticketNameIn(key))],
  });
  const reads = line.reads();
  const { succeeded, header, responses } = await session.store.txn(
    { if: [...ticket.guards(), isUndecided], then: [going], else: reads },
    { timeoutMs: session.requestTimeoutMs, signal: session.signal },
  );
  session.options.runtime.probe('barrier.withdrawn');
  if (succeeded) return undefined;
  const standing = standingOf(keys, line.stateOf(header.revision, kvsOf(responses)));
  const facts = { key: toBytes(key), createRevision };
  // Gone already, by an earlier copy of this: what was decided after that is not about it.
  return standing.stands(facts) ? fateIn(standing, facts) : undefined;
}
