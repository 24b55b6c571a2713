import type { Conclave, MemberStatus } from '../index.js';

/**
 * - `ok`: as it should be
 * - `note`: could not be looked at, or is worth knowing
 * - `warning`: goes well until something else goes wrong
 * - `problem`: does not work, or will stop working
 */
export type Verdict = 'ok' | 'note' | 'warning' | 'problem';

/** What a check has to say, in a line. */
export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** What was found, and what it means. */
  readonly text: string;
  /** What to do. */
  readonly advice?: string;
}

/** A member that has answered, under the address that was named. */
export interface Seen {
  readonly endpoint: string;
  readonly status: MemberStatus;
}

/** What is looked at. */
export interface Patient {
  readonly conclave: Conclave;
  readonly seen: readonly Seen[];
  /** Whether somebody comes with a name and a password. */
  readonly hasLogin: boolean;
  /** TTL of the sessions that programs are to open here. */
  readonly sessionTtlMs: number;
}

export function ok(check: string, text: string): Finding {
  return { check, verdict: 'ok', text };
}

export function note(check: string, text: string): Finding {
  return { check, verdict: 'note', text };
}

export function warning(check: string, text: string, advice: string): Finding {
  return { check, verdict: 'warning', text, advice };
}

export function problem(check: string, text: string, advice: string): Finding {
  return { check, verdict: 'problem', text, advice };
}
