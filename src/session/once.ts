import { toText } from '../base/bytes.js';
import { isConclaveError, NotFoundError } from '../base/errors.js';
import { get, put, type Compare, type Op } from '../store/operations.js';
import { isSpaceExceeded } from '../store/outcome.js';
import { retry } from '../store/retry.js';
import type { Receipt } from './receipts.js';
import type { Session } from './session.js';

export interface OnceParts {
  readonly if: readonly Compare[];
  readonly then: readonly Op[];
}

/**
 * Does `then` in one transaction if the conditions hold when the store gets it: once, or not at all.
 *
 * @returns its revision; undefined if the conditions did not hold, and nothing was done
 * @throws OutcomeUnknownError if the session ended before the outcome was known, or if the store is over its quota; UnavailableError, nothing was done; the
 * signal's reason if it aborts between attempts, nothing was done
 */
export async function once(
  session: Session,
  parts: OnceParts,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  return session.receipts.with((receipt) =>
    retry(session.options.runtime, () => attempt(session, parts, receipt, signal), {
      signal,
      maxDelayMs: 500,
      again: (error) => error === tryAgain,
    }),
  );
}

/** Thrown to try again at once: the epoch had moved on, or the request is proved dead. */
const tryAgain = new Error('try again');

async function attempt(
  session: Session,
  parts: OnceParts,
  receipt: Receipt,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  signal.throwIfAborted();
  session.assertAlive();
  const epoch = session.epoch.guard();
  try {
    const answer = await session.store.txn(
      {
        if: [epoch, ...parts.if],
        then: [put(receipt.key, receipt.value, { lease: session.leaseId }), ...parts.then],
        else: [get(session.key)],
      },
      { timeoutMs: session.requestTimeoutMs },
    );
    session.options.runtime.probe('once.done');
    if (answer.succeeded) return answer.header.revision;
    const [self] = answer.responses[0].kvs;
    if (!session.epoch.learn(self)) throw session.signal.reason;
    if (self?.modRevision === epoch.operand) return undefined;
  } catch (error) {
    if (error instanceof NotFoundError) session.gone();
    // The fence needs space as well.
    if (!isConclaveError(error, 'OUTCOME_UNKNOWN') || isSpaceExceeded(error)) throw error;
    const done = await lookFor(receipt, session).catch(() => {
      throw error; // The session has ended first, so it stays unknown.
    });
    if (done !== undefined) return done;
  }
  throw tryAgain;
}

async function lookFor(receipt: Receipt, session: Session): Promise<bigint | undefined> {
  const { results } = await session.epoch.fenceThenLook([get(receipt.key)]);
  const kv = results[0]?.kvs[0];
  return kv && toText(kv.value) === receipt.value ? kv.modRevision : undefined;
}
