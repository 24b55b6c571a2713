import { UnavailableError } from '../base/errors.js';
import { Wait } from '../base/wait.js';
import type { Connection } from './connection.js';

/**
 * A call that waits for nobody: with all its requests, and the opening of a session, it takes no longer than the store's
 * own time limit.
 *
 * @param what for messages
 * @throws UnavailableError after that; ClosedError; what `work` throws, also the timeout of another wait that has ended it
 */
export async function atOnce<T>(
  { runtime, store, closing }: Connection,
  what: string,
  work: (wait: Wait) => Promise<T>,
): Promise<T> {
  const wait = Wait.start(runtime, { timeoutMs: store.timeoutMs }, what);
  wait.endsWith(closing);
  try {
    return await work(wait);
  } catch (error) {
    if (!wait.isOwnTimeout(error)) throw error;
    throw new UnavailableError(`${error.message}: the store does not answer`, { cause: error });
  } finally {
    wait.end();
  }
}
