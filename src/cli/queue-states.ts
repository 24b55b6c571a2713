import { setTimeout as delay } from 'node:timers/promises';
import { isConclaveError, type Queue, type QueueState } from '../index.js';

/** A queue, and how many of its jobs have ended since somebody began to look. */
export interface QueueView {
  readonly state: QueueState;
  readonly ended: number;
}

/** No more often, however much happens. */
const leastMs = 100;
/** What moves on by itself, like a job whose time has come, is not told by any event. */
const mostMs = 2_000;

/**
 * A queue as it is, and again when something has happened. Goes on while the store is away, and ends with the signal.
 *
 * @throws AuthError
 */
export async function* queueStates(
  queue: Queue,
  signal: AbortSignal,
): AsyncGenerator<QueueView, void, undefined> {
  const over = new AbortController();
  const told = { ended: 0, wake: (): void => {}, error: undefined as unknown };
  const onAbort = (): void => over.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const reading = readEvents(queue, told, over.signal);
  try {
    while (!over.signal.aborted) {
      const woken = new Promise<void>((resolve) => (told.wake = resolve));
      const state = await queue.inspect().catch((error: unknown) => {
        if (!isConclaveError(error, 'UNAVAILABLE')) throw error;
      });
      if (state) yield { state, ended: told.ended };
      if (told.error !== undefined) throw told.error;
      const pause = { signal: over.signal, ref: true };
      await delay(leastMs, undefined, pause).catch(() => {});
      await Promise.race([woken, delay(mostMs, undefined, pause).catch(() => {})]);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    over.abort();
    await reading;
  }
}

/** Never rejects. */
async function readEvents(
  queue: Queue,
  told: { ended: number; wake: () => void; error: unknown },
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const { kind } of queue.events({ signal })) {
      if (kind === 'completed' || kind === 'cancelled' || kind === 'dead') told.ended++;
      told.wake();
    }
  } catch (error) {
    if (!signal.aborted) told.error = error;
    told.wake();
  }
}

/** How many jobs have not ended. */
export function remaining({ ready, delayed, grouped, running }: QueueState): number {
  return ready + delayed + grouped + running.length;
}
