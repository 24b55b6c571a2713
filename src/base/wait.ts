import { setMaxListeners } from 'node:events';
import { WaitTimeoutError } from './errors.js';
import { maxTimerMs, type Runtime, type Timer } from './runtime.js';

export interface WaitOptions {
  /**
   * Ends the wait with `WaitTimeoutError`, counted once from the call, everything included (local queue, opening a
   * session, an unreachable store). 0 means one attempt and no waiting. Milliseconds. @default Infinity
   */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait with the signal's own reason. */
  readonly signal?: AbortSignal | undefined;
}

/** @throws RangeError for NaN, a negative number, or more than 2^31 - 1 other than Infinity. */
export function checkTimeout(timeoutMs: number, what = 'timeoutMs'): number {
  if (typeof timeoutMs !== 'number') throw new TypeError(`${what} must be a number`);
  if (Number.isNaN(timeoutMs) || timeoutMs < 0)
    throw new RangeError(`${what} must be 0 or more, got ${timeoutMs}`);
  if (timeoutMs > maxTimerMs && timeoutMs !== Infinity) {
    throw new RangeError(`${what} must be at most ${maxTimerMs} or Infinity, got ${timeoutMs}`);
  }
  return timeoutMs;
}

/**
 * A misspelled option would be ignored without a word.
 *
 * @throws TypeError naming what is unknown, or saying that these are no options
 */
export function checkOptions(options: unknown, known: readonly string[], what: string): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${what}: options must be an object, not ${String(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${what}: unknown option ${JSON.stringify(name)}; known are ${known.join(', ')}`);
    }
  }
}

/** One deadline and one signal for all the steps of a blocking call. End it in `finally`, or its timer stays. */
export class Wait {
  /** Aborts when the wait is over, with the error to reject with. */
  readonly signal: AbortSignal;
  readonly startedAt: number;
  /** True for `timeoutMs: 0`: try once, do not stand in line. */
  readonly immediate: boolean;

  /** What stands in the way, kept up to date by whoever waits; the timeout's message ends with it. */
  obstacle = '';

  readonly #runtime: Runtime;
  readonly #what: string;
  readonly #controller = new AbortController();
  readonly #timer: Timer | undefined;
  #timeout: WaitTimeoutError | undefined;
  readonly #forget: (() => void)[] = [];

  /**
   * @param what was waited for: the message of the timeout begins with it
   * @throws RangeError for a bad `timeoutMs`; the signal's reason if it has aborted already
   */
  static start(runtime: Runtime, options: WaitOptions, what: string): Wait {
    checkOptions(options, ['timeoutMs', 'signal'], what);
    const { timeoutMs = Infinity } = options; // null is no number: it would wait for ever
    checkTimeout(timeoutMs);
    if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
      throw new TypeError(`${what}: signal must be an AbortSignal`);
    }
    options.signal?.throwIfAborted();
    return new Wait(runtime, timeoutMs, options.signal, what);
  }

  private constructor(
    runtime: Runtime,
    timeoutMs: number,
    callerSignal: AbortSignal | undefined,
    what: string,
  ) {
    this.#runtime = runtime;
    this.#what = what;
    this.signal = this.#controller.signal;
    setMaxListeners(0, this.signal); // every step listens: many are no leak
    this.startedAt = runtime.now();
    this.immediate = timeoutMs === 0;
    if (callerSignal) this.endsWith(callerSignal);
    if (timeoutMs !== Infinity && timeoutMs > 0) {
      this.#timer = runtime.setTimer(timeoutMs, () => this.#controller.abort(this.timeout()));
    }
  }

  /** The error of a wait that has taken too long. */
  timeout(): WaitTimeoutError {
    const waitedMs = Math.round(this.waitedMs());
    this.#timeout = new WaitTimeoutError(
      `${this.#what}: not done within ${waitedMs} ms${this.obstacle}`,
      waitedMs,
    );
    return this.#timeout;
  }

  /** Whether this says that its own time is up, not that of another wait which has ended it. */
  isOwnTimeout(error: unknown): error is WaitTimeoutError {
    return error !== undefined && error === this.#timeout;
  }

  waitedMs(): number {
    return this.#runtime.now() - this.startedAt;
  }

  /** Settles as `promise` does, unless the wait ends first: then rejects with its reason, and `promise` goes on alone. */
  race<T>(promise: Promise<T>): Promise<T> {
    return raceSignal(promise, this.signal);
  }

  /** Whatever else ends the wait, with its own reason: a lost session, a closed connection. */
  endsWith(signal: AbortSignal): void {
    const onAbort = (): void => this.#controller.abort(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#forget.push(() => signal.removeEventListener('abort', onAbort));
  }

  /** Forgets its timer and every signal. Idempotent. */
  end(): void {
    this.#timer?.cancel();
    for (const forget of this.#forget.splice(0)) forget();
  }
}

/** Aborts `controller` as `signal` does; at once if it has. */
export function abortWith(controller: AbortController, signal: AbortSignal): void {
  if (signal.aborted) return controller.abort(signal.reason);
  signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
}

/** Settles as `promise` does, unless `signal` aborts first. What `promise` does after that is not observed. */
export function raceSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => {});
      return onAbort();
    }
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** Settles as `start` does, which is given a signal that aborts with `signal`, and when all is over. */
export async function withOwnSignal<T>(
  signal: AbortSignal,
  start: (over: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  setMaxListeners(0, over.signal); // as many may listen as there is to do: many are no leak
  const onAbort = (): void => over.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return await start(over.signal);
  } finally {
    signal.removeEventListener('abort', onAbort);
    over.abort();
  }
}

export interface GraceOptions {
  readonly signal: AbortSignal;
  readonly graceMs: number;
}

/** Settles as `work` does, which is given a signal that aborts as `signal` does, but so much later. */
export async function withGrace<T>(
  runtime: Runtime,
  { signal, graceMs }: GraceOptions,
  work: (over: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  let timer: Timer | undefined;
  const onAbort = (): void => {
    timer = runtime.setTimer(graceMs, () => over.abort(signal.reason));
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await work(over.signal);
  } finally {
    signal.removeEventListener('abort', onAbort);
    timer?.cancel();
  }
}

/** Resolves when `work` has settled, however, or when the time is up. */
export async function settledWithin(
  runtime: Runtime,
  work: Promise<unknown>,
  timeoutMs: number,
): Promise<void> {
  const timeout = new AbortController();
  const timer = runtime.setTimer(timeoutMs, () => timeout.abort());
  await raceSignal(work, timeout.signal).catch(() => {});
  timer.cancel();
}
