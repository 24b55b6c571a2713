import { isConclaveError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import { checkOptions, checkTimeout, raceSignal, settledWithin, Wait } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import type { Leadership } from './leadership.js';

export interface LeadOptions {
  /** What observers see. @default the holder's name, as given to `connect` */
  readonly value?: string;
  /** Ends it. @default never */
  readonly signal?: AbortSignal | undefined;
  /** See `CampaignOptions`. @default 0 */
  readonly priority?: number;
  /** How long the callback is waited for after `signal` has aborted, milliseconds. @default 10000 */
  readonly drainTimeoutMs?: number;
  /** How long to stay out of the election after the callback has returned, at least, milliseconds. @default 1000 */
  readonly pauseMs?: number;
  /**
   * Told what the callback throws; then it campaigns again after a pause, which doubles with each error in a row, up to a
   * minute. Without it, `lead` rejects with that error.
   */
  readonly onError?: (error: unknown) => void;
}

const knownOptions = ['value', 'signal', 'priority', 'drainTimeoutMs', 'pauseMs', 'onError'];
const maxPauseMs = 60_000;
/** The first pause after a campaign that has failed. */
const minPauseMs = 100;

/** What `lead` needs of the election. */
export interface Contest {
  readonly title: string;
  campaign(
    value: string,
    options: { readonly signal: AbortSignal; readonly priority?: number },
  ): Promise<Leadership>;
}

/** How a time as leader has ended. */
type Term = 'done' | 'lost' | { readonly error: unknown };

/** See `Election.lead`. */
export async function lead(
  connection: Connection,
  contest: Contest,
  work: (leadership: Leadership) => unknown,
  options: LeadOptions,
): Promise<void> {
  const title = `${contest.title}: lead`;
  checkOptions(options, knownOptions, title);
  const { signal, priority, onError, value = connection.options.holder.name } = options;
  const { drainTimeoutMs = 10_000, pauseMs = 1_000 } = options;
  checkTimeout(drainTimeoutMs, 'drainTimeoutMs');
  checkTimeout(pauseMs, 'pauseMs');
  if (typeof work !== 'function') throw new TypeError('lead needs a function');
  if (onError !== undefined && typeof onError !== 'function')
    throw new TypeError('onError must be a function');
  connection.closing.throwIfAborted();
  if (signal?.aborted) return;

  const { runtime } = connection;
  const life = Wait.start(runtime, { signal }, title);
  life.endsWith(connection.closing);
  const candidacy = { signal: life.signal, ...(priority !== undefined && { priority }) };
  /** Errors in a row. */
  let failures = 0;
  const backOff = (shortestMs: number): Promise<void> => {
    const delayMs = Math.min(Math.max(maxPauseMs, shortestMs), shortestMs * 2 ** failures++);
    return sleep(runtime, delayMs * (1 - runtime.random() / 4), { signal: life.signal });
  };
  try {
    while (true) {
      const leadership = await contest.campaign(value, candidacy).catch((error: unknown) => {
        life.signal.throwIfAborted();
        if (!mayCampaignAgain(connection, error)) throw error;
      });
      const term = leadership && (await serve(connection, leadership, work, life.signal, drainTimeoutMs));
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

/** Runs the callback as long as it leads. Never rejects. */
async function serve(
  connection: Connection,
  leadership: Leadership,
  work: (leadership: Leadership) => unknown,
  signal: AbortSignal,
  drainTimeoutMs: number,
): Promise<Term> {
  let term: Term = 'done';
  const over = connection.track(leadership.during(work, signal)).catch((error: unknown) => {
    term = isConsequence(error, leadership) ? 'lost' : { error };
  });
  try {
    await raceSignal(over, signal);
  } catch {
    // Told to stop. What still runs after that gives the key back when it ends. `close` may wait for less long.
    await settledWithin(connection.runtime, raceSignal(over, connection.closed), drainTimeoutMs);
  }
  return term;
}

/** The callback has thrown because it was told that it is over, or found that out. */
function isConsequence(error: unknown, { key, signal }: Leadership): boolean {
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
function mayCampaignAgain({ isForOneSession }: Connection, error: unknown): boolean {
  if (isConclaveError(error, 'SESSION_LOST')) return !isForOneSession;
  return (
    isConclaveError(error, 'CONFLICT') ||
    isConclaveError(error, 'RESOURCE_EXHAUSTED') ||
    isConclaveError(error, 'UNAVAILABLE') ||
    isConclaveError(error, 'OUTCOME_UNKNOWN')
  );
}
