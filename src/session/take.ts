import { toBytes } from '../base/bytes.js';
import { isConclaveError, NotFoundError, ResourceExhaustedError } from '../base/errors.js';
import { retry } from '../store/retry.js';
import { compare, type Compare, get, type Op, put, remove, txn } from '../store/operations.js';
import { isSpaceExceeded } from '../store/outcome.js';
import { leaveLine } from './giving-up.js';
import { sendWithinQuota } from './within-quota.js';
import { kvsOf, readsOf, type Request, statesOf, Ticket } from './ticket.js';

export interface TakeOptions {
  /** No further attempt is sent once it has aborted; one under way is still settled. */
  readonly signal: AbortSignal;
  /** Ride out an unreachable store until `signal` or the session's end. @default false */
  readonly isPatient?: boolean;
}

export interface ConditionalTake extends TakeOptions {
  readonly if: readonly Compare[];
  /** What else to do if they hold. */
  readonly then?: readonly Op[];
}

/**
 * Puts a ticket at the end of every line, and reads the lines in the same transaction.
 *
 * An answer that is lost is settled before anything else happens: when this rejects, no ticket is left and no copy of
 * the request can put one later (or the session is over).
 *
 * @throws SessionLostError; UnavailableError if the store cannot be reached; ConflictError if a line refuses the ticket;
 * the signal's reason
 */
export async function takeTicket(request: Request, options: TakeOptions): Promise<Ticket> {
  const taken = await takeTicketIf(request, { ...options, if: [] });
  // Without conditions only the line itself can refuse, and that throws.
  if (!(taken instanceof Ticket)) throw new TypeError('no ticket was taken');
  return taken;
}

/** Each line as it was when the conditions did not hold. */
export type NotTaken = ReturnType<typeof statesOf>;

/**
 * Takes a ticket if the conditions hold when the store gets the request. Rejections leave nothing behind, as with
 * `takeTicket`.
 *
 * @returns the lines as they are if they do not hold; nothing was put then, and no copy of the request can put it later
 */
export async function takeTicketIf(request: Request, options: ConditionalTake): Promise<Ticket | NotTaken> {
  const { session, lines } = request;
  const name = session.nextTicketName(request.title);
  const keys = lines.map((line) => line.keyOf(name));
  let taken: Ticket | NotTaken | undefined;
  try {
    taken = await retry(session.options.runtime, () => takeOnce(request, keys, options), {
      signal: options.signal,
      maxDelayMs: 500,
      again: (error) => {
        if (error === tryAgain) return true;
        return Boolean(options.isPatient) && isConclaveError(error, 'UNAVAILABLE') && session.isAlive();
      },
    });
    return taken;
  } finally {
    if (!(taken instanceof Ticket)) session.news.end(name);
  }
}

/**
 * A ticket if the rule lets it pass at once: in a line that nobody stands in, one round trip; else the line is looked at
 * first, and the ticket put only if nobody has come since.
 */
export async function takeIfAdmitted(request: Request, signal: AbortSignal): Promise<Ticket | undefined> {
  let conditions = request.lines.flatMap((line) => line.isFree());
  while (true) {
    const taken = await takeTicketIf(request, { signal, if: conditions });
    if (taken instanceof Ticket) return keepIfAdmitted(taken);
    const refusal = refusalIn(taken);
    if (refusal) throw refusal;
    const { rule, ticketValue } = request.demand;
    const value = toBytes(ticketValue(request.session));
    if (!taken.every(([line, state]) => line.wouldAdmit(rule, value, state))) return undefined;
    conditions = taken.flatMap(([line, { revision }]) => line.isUnchangedSince(revision));
  }
}

async function keepIfAdmitted(ticket: Ticket): Promise<Ticket | undefined> {
  try {
    if (ticket.isAdmittedAtOnce()) return ticket;
    await leaveLine(ticket);
    return undefined;
  } catch (error) {
    await leaveLine(ticket);
    throw error;
  }
}

/** Thrown to try again at once, for a reason that has been dealt with. */
const tryAgain = new Error('try again');

async function takeOnce(
  request: Request,
  keys: readonly string[],
  { if: conditions, then = [], signal }: ConditionalTake,
): Promise<Ticket | NotTaken> {
  const { session, lines, demand } = request;
  const { runtime } = session.options;
  signal.throwIfAborted();
  session.assertAlive();
  runtime.probe('ticket.take');
  const epoch = session.epoch.guard();
  const value = demand.ticketValue(session);
  const entering = lines.flatMap((line, i) =>
    line.entering(put(keys[i] ?? '', value, { lease: session.leaseId })),
  );
  try {
    const answer = await sendWithinQuota(
      session,
      txn({
        if: [epoch, ...keys.map((key) => compare.createRevision(key, '=', 0n)), ...conditions],
        then: [...then, ...entering, ...readsOf(lines)],
        else: [get(session.key), ...readsOf(lines)],
      }),
    );
    runtime.probe('ticket.taken');
    const reads = answer.responses.slice(answer.succeeded ? then.length + entering.length : 1);
    const seen = { revision: answer.revision, results: reads };
    const mine = Ticket.among(seen, request, keys);
    if (mine) return mine;
    const states = statesOf(lines, seen);
    if (answer.succeeded) throw refusalIn(states) ?? new TypeError('the lines did not put the ticket');
    const [self] = kvsOf(answer.responses.slice(0, 1));
    if (!session.epoch.learn(self)) throw session.signal.reason;
    if (conditions.length > 0 && self?.modRevision === epoch.operand) return states;
  } catch (error) {
    if (error instanceof NotFoundError) session.gone();
    session.assertAlive();
    if (!isConclaveError(error, 'OUTCOME_UNKNOWN')) throw error;
    const settled = await settle(request, keys, error);
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
  request: Request,
  keys: readonly string[],
  error: unknown,
): Promise<Ticket | undefined> {
  const { session, lines } = request;
  const looking = session.epoch.fenceThenLook(readsOf(lines));
  if (isSpaceExceeded(error)) {
    // The proof needs a put and waits until there is space; meanwhile the ticket, if there is one, must block nobody.
    session.chore(looking.then(() => removeKeys(request, keys)).catch(() => {}));
    await removeKeys(request, keys).catch(() => {});
    throw new ResourceExhaustedError('the store is over its space quota: no ticket can be taken', {
      cause: error,
    });
  }
  return Ticket.among(await looking, request, keys);
}

/** Nobody else uses the keys, so this needs no guard; until it is answered or the session is over. */
async function removeKeys({ session, lines }: Request, keys: readonly string[]): Promise<void> {
  const timeoutMs = session.requestTimeoutMs;
  const removals = keys.flatMap((key, i) => [remove(key), ...(lines[i]?.leaving(key) ?? [])]);
  await retry(
    session.options.runtime,
    () => session.store.txn({ then: removals }, { timeoutMs, signal: session.signal }),
    {
      signal: session.signal,
      again: (error) => isConclaveError(error, 'OUTCOME_UNKNOWN') || isConclaveError(error, 'UNAVAILABLE'),
    },
  );
}

function refusalIn(states: NotTaken): Error | undefined {
  return states.map(([line, state]) => line.refusal(state)).find((refusal) => refusal !== undefined);
}
