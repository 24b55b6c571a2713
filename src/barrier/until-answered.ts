import { isConclaveError, type OutcomeUnknownError } from '../base/errors.js';
import type { Wait } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import type { CallOptions } from '../store/caller.js';
import { retry } from '../store/retry.js';

/**
 * Sends what does no harm when it is done twice, or late, until it is answered.
 *
 * @throws OutcomeUnknownError if `wait` ends after something was sent that may have been done; what `send` is refused with
 */
export async function untilAnswered<T>(
  { runtime, store }: Connection,
  wait: Wait,
  send: (options: CallOptions) => Promise<T>,
): Promise<T> {
  let unknown: OutcomeUnknownError | undefined;
  // So that a silent member is not all that is tried.
  const timeoutMs = Math.ceil(store.timeoutMs / 3);
  try {
    return await retry(runtime, () => send({ timeoutMs }), {
      signal: wait.signal,
      again: (error) => {
        if (isConclaveError(error, 'OUTCOME_UNKNOWN')) unknown = error;
        else if (!isConclaveError(error, 'UNAVAILABLE')) return false;
        return !wait.signal.aborted;
      },
    });
  } catch (error) {
    if (unknown && wait.signal.aborted) throw unknown;
    throw error;
  }
}
