import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** One thing that was tried, for the sum of all. */
export interface Check {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** What was counted or measured. */
  readonly figures?: string;
  /** Why it was skipped. */
  readonly reason?: string;
}

/** Says what was tried, at once; for people. */
export function tell(check: Check): Check {
  const { name, state, figures, reason } = check;
  const mark = { passed: 'ok     ', failed: 'FAILED ', skipped: 'skipped' }[state];
  console.log(
    [`${mark} ${name}`, figures, reason].filter((part) => part !== undefined && part !== '').join(': '),
  );
  return check;
}

/** @param isSo what is demanded */
export function check(name: string, isSo: boolean, figures?: string): Check {
  return tell({ name, state: isSo ? 'passed' : 'failed', ...(figures !== undefined && { figures }) });
}

/** In the form of a report of vitest: one reader sums up all suites. */
export function writeReport(path: string, checks: readonly Check[]): void {
  const assertionResults = checks.map(({ name, state, reason }) => ({
    fullName: name,
    status: state,
    meta: reason === undefined ? {} : { skipReason: reason },
  }));
  const status = checks.some(({ state }) => state === 'failed') ? 'failed' : 'passed';
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify({ testResults: [{ status, assertionResults }] }));
}
