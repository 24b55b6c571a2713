import { randomBytes } from 'node:crypto';
import type { Probe } from './probes.js';

/**
 * Everything the library takes from the outside world besides the network: time, chance, and points where a test may
 * aim a fault. This file and `testing/` are the only places in `src` that touch raw clocks, timers or randomness, so a
 * simulation replaces them all at once.
 */
export interface Runtime {
  /** Monotonic milliseconds; only differences mean something. */
  now(): number;
  /** Wall-clock milliseconds since 1970; may jump. */
  wallNow(): number;
  setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer;
  /** Uniform in [0, 1). */
  random(): number;
  /** A positive 63-bit number that nobody else has: lease ids. */
  id(): bigint;
  /** A named point in a protocol; a no-op outside tests. */
  probe(name: Probe): void;
}

export interface TimerOptions {
  /** A background timer does not keep the process alive. @default false */
  readonly background?: boolean;
}

export interface Timer {
  cancel(): void;
}

/** The longest delay a Node timer takes; a longer one would fire at once. */
export const maxTimerMs: number = 2 ** 31 - 1;

export const systemRuntime: Runtime = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer(delayMs, callback, { background = false } = {}) {
    const handle = setTimeout(callback, Math.min(Math.max(delayMs, 0), maxTimerMs));
    if (background) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  random: () => Math.random(),
  id: () => {
    const id = randomBytes(8).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn;
    return id === 0n ? 1n : id;
  },
  probe: () => {},
};

/** A wall-clock time for people: ISO 8601, UTC. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** The same as a Date. */
export function toDate(wallMs: number): Date {
  return new Date(wallMs);
}

/** @returns milliseconds since 1970, NaN for a Date that is none; undefined for anything else */
export function toWallMs(time: unknown): number | undefined {
  if (time instanceof Date) return time.getTime();
  return typeof time === 'number' ? time : undefined;
}

/** Resolves after `delayMs`; rejects with the signal's reason as soon as it aborts. */
export function sleep(
  runtime: Runtime,
  delayMs: number,
  options: TimerOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = runtime.setTimer(
      delayMs,
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      options,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
