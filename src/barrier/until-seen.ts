import { checkOptions, Wait, type WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import type { Line, LineState } from '../session/line.js';
import { readLine } from '../session/line-history.js';

/** Starts the clock of a blocking call. `timeoutMs: 0` still has the time that the store may take to answer. */
export function startWait(connection: Connection, options: WaitOptions, what: string): Wait {
  const { runtime, store, closing } = connection;
  checkOptions(options, ['timeoutMs', 'signal'], what);
  const isImmediate = options.timeoutMs === 0;
  const wait = Wait.start(runtime, isImmediate ? { ...options, timeoutMs: store.timeoutMs } : options, what);
  wait.endsWith(closing);
  return wait;
}

/**
 * Resolves once `look` has returned true of the line as it is now, or after a later change. Needs no session, and leaves
 * nothing behind. Goes on while the store is away.
 *
 * @param look shown states in their order; it must not throw
 * @throws WaitTimeoutError, the signal's reason, ClosedError, AuthError
 */
export async function untilSeen(
  connection: Connection,
  line: Line,
  options: WaitOptions,
  look: (state: LineState, wait: Wait) => boolean,
): Promise<void> {
  const wait = startWait(connection, options, line.title);
  try {
    const now = await readLine(connection, line, 0n, wait.signal);
    if (look(now, wait)) return;
    if (options.timeoutMs === 0) throw wait.timeout();
    await connection.views.view(line).until(now, (state) => look(state, wait), wait.signal);
  } finally {
    wait.end();
  }
}
