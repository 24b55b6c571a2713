import { isConclaveError, OutcomeUnknownError } from '../base/errors.js';
import { anchorOf, type Change, changedKeys, isSurelyUndone, looks, unchanged } from './change.js';
import { compare, get, put, txn } from './operations.js';
import { isSpaceExceeded } from './outcome.js';
import type { KeyValue, OpResult } from './results.js';
import { retry } from './retry.js';
import type { Store } from './store.js';

/** `undefined` when it was made; else the keys that somebody has changed: then it was not, and cannot be any more. */
export type Committed = readonly string[] | undefined;

/**
 * Makes a change, if nothing that it relies on has changed.
 *
 * If no answer comes, it is sent again: it compares what it overwrites, so it is applied once, however many copies arrive. A
 * copy that is refused also writes one of its keys anew, with the value and lease that it has, if nobody has written that since:
 * then no earlier copy can be applied any more, and none was. What remains open is what somebody else may have written just so.
 *
 * @throws OutcomeUnknownError
 */
export async function commit(store: Store, change: Change): Promise<Committed> {
  const then = change.writes.map(({ op }) => op);
  try {
    const answer = await store.txn({ if: unchanged(change), then, else: looks(change) });
    return answer.succeeded ? undefined : changedKeys(change, answer.responses);
  } catch (error) {
    // Over its quota the store would refuse the copy, too.
    if (!isConclaveError(error, 'OUTCOME_UNKNOWN') || isSpaceExceeded(error)) throw error;
    const anchor = anchorOf(change);
    if (!anchor) throw onlyCreates(error);
    return settle(store, change, { anchor, error });
  }
}

interface Unknown {
  readonly anchor: KeyValue;
  readonly error: OutcomeUnknownError;
}

async function settle(store: Store, change: Change, { anchor, error }: Unknown): Promise<Committed> {
  const { key, modRevision } = anchor;
  const keep = { ignoreValue: true, ignoreLease: true };
  const fence = txn({
    if: [compare.modRevision(key, '=', modRevision)],
    then: [put(key, '', keep)],
    else: [get(key)],
  });
  const parts = {
    if: unchanged(change),
    then: change.writes.map(({ op }) => op),
    else: [fence, ...looks(change, change.writes)], // each key once: there may be as many as a transaction takes
  };
  const until = store.runtime.now() + store.timeoutMs;
  const timeoutMs = Math.ceil(store.timeoutMs / 3); // so that a silent member is not all that is tried
  const answer = await retry(store.runtime, () => store.txn(parts, { timeoutMs }), {
    until,
    again: (failure) => {
      const isOpen = isConclaveError(failure, 'OUTCOME_UNKNOWN') || isConclaveError(failure, 'UNAVAILABLE');
      return isOpen && !isSpaceExceeded(failure) && store.runtime.now() < until;
    },
  }).catch((failure: unknown) => {
    throw new OutcomeUnknownError(`${error.message}; finding out has failed, too`, { cause: failure });
  });
  if (answer.succeeded) return undefined;
  const [fenced, ...reads] = answer.responses as readonly [OpResult, ...OpResult[]];
  const isFenced = fenced.kind === 'txn' && fenced.succeeded;
  // The look comes after the fence, in the same transaction: the anchor's key is among those that have changed.
  if (isFenced || isSurelyUndone(change, reads)) return changedKeys(change, reads);
  throw new OutcomeUnknownError(
    `${error.message.split(';')[0] ?? ''}; what it was to write has been written, by it or by others. No copy of it can be applied any more`,
    { cause: error },
  );
}

function onlyCreates(error: OutcomeUnknownError): OutcomeUnknownError {
  return new OutcomeUnknownError(
    `${error.message}; it writes only keys that were not there, so sending it again might do it twice`,
    { cause: error },
  );
}
