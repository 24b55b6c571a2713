import { maxTimerMs, type Runtime, type Timer } from './base/runtime.js';

export interface ConclaveOptions {
  /** First part of every key. @default 'conclave' */
  readonly namespace?: string;
  /**
   * How long the store keeps what a crashed process held, milliseconds, whole seconds from 2000. Shorter means faster
   * takeover and less patience with a slow network. @default 15000
   */
  readonly sessionTtlMs?: number;
  /** How long an unreachable store is tried before a call that does not wait gives up, milliseconds. @default 5000 */
  readonly dialTimeoutMs?: number;
  /** Shown to others as who holds or waits. @default host name and process id */
  readonly holder?: string;
  /** Time and chance; for tests. @default the system's */
  readonly runtime?: Runtime;
}

/** What `Conclave.over` needs besides. */
export interface FoundationOptions extends ConclaveOptions {
  readonly runtime: Runtime;
  /** An open Conclave keeps the process alive. @default false */
  readonly keepsAlive?: boolean;
  /** Where this is said to run. @default this host and process */
  readonly process?: { readonly host: string; readonly pid: number };
}

/** A year: what is longer was given in another unit. */
const maxTtlMs = 31_536_000_000;

/** @throws RangeError unless it is whole seconds */
export function checkTtl(ttlMs: number): number {
  if (!Number.isInteger(ttlMs) || ttlMs % 1_000 !== 0 || ttlMs < 2_000 || ttlMs > maxTtlMs) {
    throw new RangeError(`a session's TTL must be whole seconds, from 2000 to ${maxTtlMs} ms; got ${ttlMs}`);
  }
  return ttlMs;
}

/**
 * How long watches may be quiet: a silent member is given up within a third of the TTL, as long as that is not sooner than a
 * busy one answers.
 */
export function heartbeatOf(sessionTtlMs: number): number {
  return Math.min(1_000, Math.max(400, sessionTtlMs / 12));
}

/** Sockets and background timers do not: a program that waits for its signal handler would end. */
export function keepProcessAlive(runtime: Runtime): Timer {
  let timer = runtime.setTimer(maxTimerMs, renew);
  function renew(): void {
    timer = runtime.setTimer(maxTimerMs, renew);
  }
  return { cancel: () => timer.cancel() };
}
