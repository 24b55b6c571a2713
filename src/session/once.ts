import { toText } from '../base/bytes.js';
import { isConclaveError, NotFoundError, OutcomeUnknownError } from '../base/errors.js';
import { raceSignal, withGrace } from '../base/wait.js';
import { compare, type Compare, get, type Op, put } from '../store/operations.js';
import { isSpaceExceeded } from '../store/outcome.js';
import type { KeyValue, OpResult } from '../store/results.js';
import { retry } from '../store/retry.js';
import type { Connection } from './connection.js';
import { lastLook } from './last-look.js';
import type { Receipt } from './receipts.js';
import type { Session } from './session.js';

export interface OnceParts {
  readonly if: readonly Compare[];
  readonly then: readonly Op[];
  /** Reads: what to show if the conditions do not hold. @default [] */
  readonly else?: readonly Op[];
}

export type OnceResult =
  | {
      readonly isDone: true;
      /** At which it was done. */
      readonly revision: bigint;
      /** Of `then`; undefined if the answer was lost, and only the receipt tells that it was done. */
      readonly responses: readonly OpResult[] | undefined;
    }
  | {
      /** The conditions did not hold, and nothing was done. */
      readonly isDone: false;
      /** At which they did not. */
      readonly revision: bigint;
      /** Of `else`, at that revision. */
      readonly responses: readonly OpResult[];
    };

/**
 * Does `then` in one transaction if the conditions hold when the store gets it: once, or not at all. What became of a
 * request without an answer is found out, also after the session has ended.
 *
 * @throws SessionLostError, UnavailableError, NotFoundError if another lease named in `then` is gone, or the signal's reason
 * if it aborts between attempts: nothing was done.
 * OutcomeUnknownError if the outcome is not known some seconds after the signal has aborted, or when the store's connection is
 * closed; if the end of the session has been compacted away; or if the store is over its quota
 */
export async function once(session: Session, parts: OnceParts, signal: AbortSignal): Promise<OnceResult> {
  return session.receipts.with((receipt) =>
    retry(session.options.runtime, () => attempt(session, parts, receipt, signal), {
      signal,
      maxDelayMs: 500,
      again: (error) => error === tryAgain,
    }),
  );
}

/**
 * `once`, under the connection's session, and under the next one should that be lost before it is done. The connection does
 * not close before it has ended, as long as `close` waits for anything.
 *
 * @throws SessionLostError only if the connection is for one session; UnavailableError if no session can be opened, and
 * ClosedError: nothing was done. Otherwise as `once`
 */
export function onceInAnySession(
  connection: Connection,
  parts: OnceParts,
  signal: AbortSignal,
): Promise<OnceResult> {
  return connection.track(sessionAfterSession(connection, parts, signal));
}

async function sessionAfterSession(
  connection: Connection,
  parts: OnceParts,
  signal: AbortSignal,
): Promise<OnceResult> {
  for (;;) {
    const session = await raceSignal(connection.session(), signal);
    try {
      return await once(session, parts, signal);
    } catch (error) {
      // Nothing was done, and no copy can be applied any more.
      if (!isConclaveError(error, 'SESSION_LOST')) throw error;
    }
  }
}

/** Thrown to try again at once: the epoch had moved on, or the request is proved dead. */
const tryAgain = new Error('try again');

async function attempt(
  session: Session,
  parts: OnceParts,
  receipt: Receipt,
  signal: AbortSignal,
): Promise<OnceResult> {
  signal.throwIfAborted();
  session.assertAlive();
  session.options.runtime.probe('once.send');
  const epoch = session.epoch.guard();
  const isFirst = compare.modRevision(receipt.key, '=', receipt.modRevision);
  try {
    const { succeeded, header, responses } = await session.store.txn(
      {
        if: [epoch, isFirst, ...parts.if],
        then: [put(receipt.key, receipt.value, { lease: session.leaseId }), ...parts.then],
        else: [get(session.key), get(receipt.key), ...(parts.else ?? [])],
      },
      { timeoutMs: session.requestTimeoutMs },
    );
    const { revision } = header;
    session.options.runtime.probe('once.done');
    if (succeeded) return { isDone: true, revision, responses: responses.slice(1) };
    const [{ kvs }, left, ...shown] = responses;
    if (isOf(left.kvs[0], receipt)) return doneAt(left.kvs[0]);
    if (!session.epoch.learn(kvs[0])) throw session.signal.reason;
    if (kvs[0]?.modRevision === epoch.operand) return { isDone: false, revision, responses: shown };
  } catch (error) {
    if (error instanceof NotFoundError) {
      await session.confirm();
      session.assertAlive();
      throw error; // another lease that is named here
    }
    // The fence needs space as well.
    if (!isConclaveError(error, 'OUTCOME_UNKNOWN') || isSpaceExceeded(error)) throw error;
    // Who gives up would like to know as well.
    const grace = { signal, graceMs: session.requestTimeoutMs };
    const settling = withGrace(session.options.runtime, grace, (over) => settle(session, receipt.key, over));
    const kv = await settling.catch((why: unknown) => {
      throw stillUnknown(error, why);
    });
    if (isOf(kv, receipt)) return doneAt(kv);
  }
  throw tryAgain;
}

function isOf(kv: KeyValue | undefined, { value }: Receipt): kv is KeyValue {
  return kv !== undefined && toText(kv.value) === value;
}

function doneAt({ modRevision }: KeyValue): OnceResult {
  return { isDone: true, revision: modRevision, responses: undefined };
}

/** @returns the receipt as it stands when no copy sent before can be applied any more */
async function settle(session: Session, key: string, signal: AbortSignal): Promise<KeyValue | undefined> {
  try {
    const { results } = await raceSignal(session.epoch.fenceThenLook([get(key)]), signal);
    return results[0]?.kvs[0];
  } catch (error) {
    if (!session.signal.aborted) throw error;
  }
  return lastLook(session, key, signal);
}

function stillUnknown(error: OutcomeUnknownError, why: unknown): OutcomeUnknownError {
  const reason = why instanceof Error ? why.message : String(why);
  return new OutcomeUnknownError(`${error.message}; finding out was given up: ${reason}`, { cause: error });
}
