import { setMaxListeners } from 'node:events';
import { report } from '../base/diagnostics.js';
import { isConclaveError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import { abortWith, checkOptions, checkTimeout, raceSignal, settledWithin, Wait } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import type { Delivery } from './delivery.js';
import { checkCount } from './queue-options.js';

export interface WorkOptions {
  /** How many jobs this call works on at a time. @default 1 */
  readonly concurrency?: number;
  /** Ends it. @default never */
  readonly signal?: AbortSignal | undefined;
  /** How long handlers are waited for after `signal` has aborted, milliseconds. @default 10000 */
  readonly drainTimeoutMs?: number;
  /** Told what handlers throw, and what else goes wrong; the work goes on. */
  readonly onError?: (error: unknown, delivery?: Delivery) => void;
}

const knownOptions = ['concurrency', 'signal', 'drainTimeoutMs', 'onError'] satisfies (keyof WorkOptions)[];
const maxPauseMs = 30_000;

/** See `Queue.work`. */
export async function work<T>(
  connection: Connection,
  /** For messages: `queue "emails"`. */
  queue: string,
  receive: (options: { readonly signal: AbortSignal }) => Promise<Delivery<T>>,
  handler: (delivery: Delivery<T>) => unknown,
  options: WorkOptions,
): Promise<void> {
  const title = `${queue}: work`;
  checkOptions(options, knownOptions, title);
  const { concurrency = 1, signal, drainTimeoutMs = 10_000, onError } = options;
  checkCount(concurrency, 'concurrency');
  checkTimeout(drainTimeoutMs, 'drainTimeoutMs');
  if (typeof handler !== 'function') throw new TypeError(`${title} needs a function`);
  if (onError !== undefined && typeof onError !== 'function')
    throw new TypeError('onError must be a function');
  connection.closing.throwIfAborted();
  if (signal?.aborted) return;

  const { runtime } = connection;
  const life = Wait.start(runtime, { signal }, title);
  life.endsWith(connection.closing);
  const tell = (error: unknown, delivery?: Delivery<T>): void => onError?.(error, delivery);

  /** Aborts also if one of the workers has to give up: the others stop then. */
  const over = new AbortController();
  setMaxListeners(0, over.signal); // each worker listens
  abortWith(over, life.signal);
  const isOver = (): boolean => over.signal.aborted;
  /** Works on one job after the other, until told to stop. */
  const workInTurn = async (): Promise<void> => {
    let failures = 0;
    while (!isOver()) {
      try {
        const delivery = await receive({ signal: over.signal });
        failures = 0;
        const failure = await connection.track(delivery.handle(handler, over.signal));
        if (failure) {
          const { id, attempt } = delivery;
          report('conclave:job-failed', () => ({ queue, id, attempt, error: failure.error }));
          tell(failure.error, delivery);
        }
      } catch (error) {
        if (isOver()) return;
        if (!mayPass(connection, error)) {
          over.abort(error);
          return;
        }
        tell(error);
        const pauseMs = Math.min(maxPauseMs, 100 * 2 ** failures++);
        // A lost delivery says nothing about the next one.
        if (isConclaveError(error, 'HOLD_LOST')) continue;
        await sleep(runtime, pauseMs * (1 - runtime.random() / 2), { signal: over.signal }).catch(() => {});
      }
    }
  };

  const workers = Array.from({ length: concurrency }, workInTurn);
  try {
    await raceSignal(Promise.all(workers), over.signal);
  } catch (error) {
    // Told to stop. What still runs after that settles its job when it ends. `close` may wait for less long.
    const drained = raceSignal(Promise.allSettled(workers), connection.closed);
    await settledWithin(runtime, drained, drainTimeoutMs);
    if (!signal?.aborted || error !== signal.reason) throw error;
  } finally {
    life.end();
  }
}

/** What another attempt may mend: a lost delivery or session, a store without space or out of reach. */
function mayPass({ isForOneSession }: Connection, error: unknown): boolean {
  if (isConclaveError(error, 'SESSION_LOST')) return !isForOneSession;
  return (
    isConclaveError(error, 'HOLD_LOST') ||
    isConclaveError(error, 'CONFLICT') ||
    isConclaveError(error, 'RESOURCE_EXHAUSTED') ||
    isConclaveError(error, 'UNAVAILABLE') ||
    isConclaveError(error, 'OUTCOME_UNKNOWN')
  );
}
