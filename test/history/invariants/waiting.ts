import { admissions, describeGrant, grantsOf, type LineEvidence, ticketsOf } from '../line.js';
import type { Violation } from '../record.js';

/** When clients have to have been told something, after the last fault. */
export interface Bounds {
  /** When every fault was undone. @default 0 */
  readonly healedAt?: number;
  readonly boundMs: number;
  /** When a client was killed, or began to end; Infinity if it was there to the end. @default everybody was */
  readonly endedAt?: (client: string) => number;
}

/**
 * I9: who waits is told soon after the rule let it pass, once nothing is wrong. What wakes it may not be the slow look that is
 * there in case a wake-up is lost: that would hide that one is.
 */
export function judgeWakeUps(
  evidence: LineEvidence,
  { healedAt = 0, boundMs }: Omit<Bounds, 'endedAt'>,
): Violation[] {
  const { kind, operations, changes } = evidence;
  const seenAt = new Map(changes.map(({ revision, at }) => [revision, at]));
  const passedAt = new Map(
    [...admissions(kind, ticketsOf(evidence))].map(([{ key }, revision]) => [key, seenAt.get(revision)]),
  );
  const told = new Set<string>();
  return grantsOf(operations).flatMap((grant) => {
    const { key, invokedAt, returnedAt } = grant;
    const passed = passedAt.get(key);
    if (passed === undefined || told.has(key)) return []; // re-entrant
    told.add(key);
    if (returnedAt <= Math.max(passed, invokedAt, healedAt) + boundMs) return [];
    const what = `${describeGrant(grant)} might pass from ${passed} on, and was told at ${returnedAt}`;
    return [{ rule: 'I9', what }];
  });
}
