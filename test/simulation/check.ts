import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** One thing that was tried, for the sum of all. */
export interface Check {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped. */
  readonly reason?: string;
}

/** Says what was tried, at once; for people. */
export function tell(check: Check, details = ''): Check {
  const mark = { passed: 'ok     ', failed: 'FAILED ', skipped: 'skipped' }[check.state];
  console.log(`${mark} ${check.name}${details && `: ${details}`}${check.reason ? ` (${check.reason})` : ''}`);
  return check;
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
