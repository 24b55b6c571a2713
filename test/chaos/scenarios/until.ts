import { setTimeout as delay } from 'node:timers/promises';

/** Ten times what anything here takes: it only keeps a scenario from hanging. */
export const guardMs = 60_000;

/** Waits until `attempt` returns something. @throws if it does not within the time */
export async function until<T>(
  what: string,
  attempt: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs: number = guardMs,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await attempt();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await delay(10);
  }
}

/** How a promise ended, and when. */
export interface Ending<T> {
  readonly value?: T;
  readonly error?: unknown;
  readonly at: number;
}

export function ending<T>(promise: Promise<T>): Promise<Ending<T>> {
  return promise.then(
    (value) => ({ value, at: performance.now() }),
    (error: unknown) => ({ error, at: performance.now() }),
  );
}

/** When the signal aborts. */
export function abortedAt(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(performance.now());
    else signal.addEventListener('abort', () => resolve(performance.now()), { once: true });
  });
}
