import { onceInAnySession } from '../session/once.js';
import { isSpaceExceeded } from '../store/outcome.js';
import { compare, remove } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import type { QueueParts } from './settle.js';

/**
 * Deletes a key as it was found: not one that was put in its place since. Whoever says so is told who did it.
 *
 * @returns whether it was this call
 * @throws as `onceInAnySession`. While the store is over its quota there is no receipt: then also OutcomeUnknownError
 */
export async function removeOnce(
  { connection }: Pick<QueueParts, 'connection'>,
  { key, createRevision }: KeyValue,
  signal: AbortSignal,
): Promise<boolean> {
  const removal = { if: [compare.createRevision(key, '=', createRevision)], then: [remove(key)] };
  try {
    const { isDone } = await onceInAnySession(connection, removal, signal);
    return isDone;
  } catch (error) {
    if (!isSpaceExceeded(error)) throw error;
    const { succeeded } = await connection.store.txn(removal, { signal });
    return succeeded;
  }
}
