import { channel } from 'node:diagnostics_channel';

/**
 * What the library tells about itself, through `node:diagnostics_channel`. Nothing is computed for a channel without
 * subscribers. Names and payloads are public and kept stable; times are milliseconds.
 */
export interface DiagnosticEvents {
  /** A hold was granted. `waitedMs` counts from the call, local queue and session opening included. */
  'conclave:acquired': { key: string; fencingToken: bigint; waitedMs: number };
  /** A hold was given back by the program. */
  'conclave:released': { key: string; fencingToken: bigint; heldMs: number };
  /** A hold was lost, or had to be taken as lost. */
  'conclave:lost': { key: string; fencingToken: bigint; heldMs: number; error: Error };
  /** A handler of `queue.work` has thrown: the job is tried again, or is a dead letter. */
  'conclave:job-failed': { queue: string; id: string; attempt: number; error: unknown };
  /** Another value of configuration, or another setting, counts from now on. `revision` is 0n if that is the fallback. */
  'conclave:config-changed': { key: string; revision: bigint };
  /** What is stored of it cannot be used: the last good value stays. Or it can no longer be followed, and that is tried again. */
  'conclave:config-failed': { key: string; error: unknown };
  'conclave:session-opened': { leaseId: bigint; ttlMs: number };
  'conclave:session-lost': { leaseId: bigint; reason: string };
  /** A lease renewal was answered. */
  'conclave:keep-alive': { leaseId: bigint; endpoint: string; latencyMs: number };
  /** A request, a stream or a whole step is tried again. */
  'conclave:retry': { what: string; attempt: number; error: unknown };
  /** A timer ran late: the event loop was blocked or the process stopped. */
  'conclave:event-loop-lag': { lagMs: number };
}

/** Publishes one event; `payload` is called only if somebody listens. */
export function report<Name extends keyof DiagnosticEvents>(
  name: Name,
  payload: () => DiagnosticEvents[Name],
): void {
  const target = channel(name);
  if (target.hasSubscribers) target.publish(payload());
}
