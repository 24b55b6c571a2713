import { isConclaveError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import { checkTimeout, raceSignal, settledWithin, Wait } from '../base/wait.js';
import type { Connection } from './connection.js';
import type { Hold } from './hold.js';

/** What all that run a callback for as long as something is held let their callers choose. */
export interface WheneverHeldOptions {
  /** Ends it. @default never */
  readonly signal?: AbortSignal | undefined;
  /** How long the callback is waited for after `signal` has aborted, milliseconds. @default 10000 */
  readonly drainTimeoutMs?: number;
  /** How long to pause after the callback has returned, at least, milliseconds. @default 1000 */
  readonly pauseMs?: number;
  /**
   * Told what the callback throws; then it is tried again after a pause, which doubles with each error in a row, up to a
   * minute. Without it, the whole rejects with that error.
   */
  readonly onError?: (error: unknown) => void;
}

export interface Pursuit<H extends Hold> {
  /** For messages. */
  readonly title: string;
  readonly acquire: (signal: AbortSignal) => Promise<H>;
  readonly work: (hold: H) => unknown;
  /** That another attempt to acquire cannot mend it. @default that of a withdrawn permission and the like */
  readonly isFinal?: (error: unknown) => boolean;
}

const maxPauseMs = 60_000;
/** The first pause after an attempt that has failed. */
const minPauseMs = 100;

/** How the time of a hold has ended. */
type Term = 'done' | 'lost' | { readonly error: unknown };

/** @throws TypeError, RangeError */
export function checkWheneverHeld(work: unknown, options: WheneverHeldOptions, what: string): void {
  const { drainTimeoutMs, pauseMs, onError } = options;
  if (drainTimeoutMs !== undefined) checkTimeout(drainTimeoutMs, 'drainTimeoutMs');
  if (pauseMs !== undefined) checkTimeout(pauseMs, 'pauseMs');
  if (typeof work !== 'function') throw new TypeError(`${what} needs a function`);
  if (onError !== undefined && typeof onError !== 'function')
    throw new TypeError('onError must be a function');
}

/**
 * Runs `work` whenever something is held, until `signal` aborts: acquires it again after a loss, and after `work` has
 * returned. Never runs it twice at a time, and gives back only when it has ended.
 *
 * When `signal` aborts, `hold.signal` does, with the same reason, while the hold still stands; `work` is waited for, up to
 * `drainTimeoutMs`, then this resolves. What still runs then gives its key back when it ends.
 *
 * @throws the error of `work`, unless `onError` is there to be told; ClosedError; AuthError; SessionLostError on a
 * connection that has only one session; what is final
 */
export async function wheneverHeld<H extends Hold>(
  connection: Connection,
  { title, acquire, work, isFinal = () => false }: Pursuit<H>,
  { signal, drainTimeoutMs = 10_000, pauseMs = 1_000, onError }: WheneverHeldOptions,
): Promise<void> {
  connection.closing.throwIfAborted();
  if (signal?.aborted) return;
  const { runtime } = connection;
  const life = Wait.start(runtime, { signal }, title);
  life.endsWith(connection.closing);
  /** Errors in a row. */
  let failures = 0;
  const backOff = (shortestMs: number): Promise<void> => {
    const delayMs = Math.min(Math.max(maxPauseMs, shortestMs), shortestMs * 2 ** failures++);
    return sleep(runtime, delayMs * (1 - runtime.random() / 4), { signal: life.signal });
  };
  try {
    while (true) {
      const hold = await acquire(life.signal).catch((error: unknown) => {
        life.signal.throwIfAborted();
        if (isFinal(error) || !mayTryAgain(connection, error)) throw error;
      });
      const term = hold && (await serve(connection, hold, work, life.signal, drainTimeoutMs));
      if (term === 'done') {
        failures = 0;
        await sleep(runtime, pauseMs, { signal: life.signal });
      } else if (typeof term === 'object') {
        if (!onError) throw term.error;
        onError(term.error);
        await backOff(Math.max(pauseMs, minPauseMs));
      } else {
        if (term === 'lost') failures = 0;
        await backOff(minPauseMs);
      }
    }
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error;
  } finally {
    life.end();
  }
}

/** Runs the callback as long as it is held. Never rejects. */
async function serve<H extends Hold>(
  connection: Connection,
  hold: H,
  work: (hold: H) => unknown,
  signal: AbortSignal,
  drainTimeoutMs: number,
): Promise<Term> {
  let term: Term = 'done';
  const over = connection.track(hold.during(work, signal)).catch((error: unknown) => {
    term = isConsequence(error, hold) ? 'lost' : { error };
  });
  try {
    await raceSignal(over, signal);
  } catch {
    // Told to stop. What still runs after that gives the key back when it ends. `close` may wait for less long.
    const draining = raceSignal(over, connection.closed);
    if (drainTimeoutMs === Infinity) await draining.catch(() => {});
    else await settledWithin(connection.runtime, draining, drainTimeoutMs);
  }
  return term;
}

/** The callback has thrown because it was told that it is over, or found that out. */
function isConsequence(error: unknown, { key, signal }: Hold): boolean {
  // A lock taken inside, and lost alone, is a matter of its own.
  const isRefused = isConclaveError(error, 'HOLD_LOST') || isConclaveError(error, 'FENCED_OUT');
  if (isRefused && error.key === key) return true;
  if (!signal.aborted) return false;
  const { reason } = signal as { reason: unknown };
  if (error === reason) return true;
  if (!(error instanceof Error)) return false;
  if (error.name === 'AbortError') return true;
  // The same loss, as something else of the session has told it.
  const cause = reason instanceof Error ? reason.cause : undefined;
  return cause !== undefined && (error === cause || error.cause === cause);
}

/** What another attempt may mend: a lost session, a ticket that somebody removed, a store without space or out of reach. */
function mayTryAgain({ isForOneSession }: Connection, error: unknown): boolean {
  if (isConclaveError(error, 'SESSION_LOST')) return !isForOneSession;
  return (
    isConclaveError(error, 'CONFLICT') ||
    isConclaveError(error, 'RESOURCE_EXHAUSTED') ||
    isConclaveError(error, 'UNAVAILABLE') ||
    isConclaveError(error, 'OUTCOME_UNKNOWN')
  );
}
