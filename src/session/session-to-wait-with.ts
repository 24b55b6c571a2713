import { isConclaveError } from '../base/errors.js';
import type { Wait } from '../base/wait.js';
import { retry } from '../store/retry.js';
import type { Connection } from './connection.js';
import type { Session } from './session.js';

/** The session to stand in line with, whose end ends `wait`. While the store is away, waits for it as long as `wait` lasts. */
export async function sessionToWaitWith(connection: Connection, wait: Wait): Promise<Session> {
  const session = await retry(connection.runtime, () => wait.race(connection.session()), {
    signal: wait.signal,
    again: (error) => {
      wait.obstacle = `; no session: ${String(error)}`;
      if (wait.signal.aborted) return false;
      return isConclaveError(error, 'UNAVAILABLE') || isConclaveError(error, 'OUTCOME_UNKNOWN');
    },
  });
  wait.obstacle = '';
  wait.endsWith(session.signal);
  return session;
}
