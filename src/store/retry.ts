import pRetry from 'p-retry';
import { type Runtime, sleep } from '../base/runtime.js';

export interface RetryOptions {
  /** Whether to try again after this error; it may throw a better one. */
  readonly again: (error: unknown, attempt: number) => boolean;
  /** Longest pause before the second attempt; doubles with each one. @default 20 */
  readonly minDelayMs?: number;
  /** @default 1000 */
  readonly maxDelayMs?: number;
  /** `Runtime.now()` at which a pause ends at the latest, for the last attempt or for `again` to say no. @default Infinity */
  readonly until?: number;
  /** Ends a pause (rejecting with its reason). An attempt under way is never cut off: its result would be lost. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `attempt` until it resolves or `again` says no, pausing in between: exponential back-off with full jitter.
 *
 * p-retry drives the loop but is told to wait 0 ms; the pause is taken here, on the Runtime, so that virtual time
 * governs it. Its own `signal` is not used: it would throw away an answer that arrived together with the abort.
 */
export async function retry<T>(
  runtime: Runtime,
  attempt: () => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { minDelayMs = 20, maxDelayMs = 1_000, until = Infinity, signal } = options;
  // p-retry wraps what is not an Error; a caller's abort reason may be anything, and must come out as it went in.
  let thrown: { readonly error: unknown } | undefined;
  const recording = async (): Promise<T> => {
    try {
      thrown = undefined;
      return await attempt();
    } catch (error) {
      thrown = { error };
      throw error;
    }
  };
  const pauseOrStop = async ({ attemptNumber }: { readonly attemptNumber: number }): Promise<void> => {
    if (thrown && !options.again(thrown.error, attemptNumber)) throw thrown.error;
    const ceilingMs = Math.min(maxDelayMs, minDelayMs * 2 ** (attemptNumber - 1));
    const remainingMs = Math.max(0, until - runtime.now());
    await sleep(runtime, Math.min(runtime.random() * ceilingMs, remainingMs), { signal });
  };
  return pRetry(recording, { retries: Infinity, minTimeout: 0, maxTimeout: 0, onFailedAttempt: pauseOrStop });
}
