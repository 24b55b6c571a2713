// Reads vitest's JSON reports: what ran, what was skipped and why. Used by test.js and summary.js.
import { readFileSync } from 'node:fs';

/** @typedef {{ passed: number, failed: number, skipped: number }} Tally */
/** @typedef {{ fullName: string, status: string, meta?: { skipReason?: string } }} TestResult */
/** @typedef {{ status: string, assertionResults: TestResult[] }} FileResult */
/** @typedef {{ testResults: FileResult[] }} Report */
/** @typedef {{ name: string, reason: string | undefined }} Skip */

/** A run that left no report has failed once. */
export const failedRun = Object.freeze({ passed: 0, failed: 1, skipped: 0 });

/**
 * @param {string} path
 * @returns {Report | undefined} nothing if the run ended before it could write its report
 */
export function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * A file that failed outside its tests (an import, a hook) counts as one failure: it must not hide in the sum.
 * @param {Report | undefined} report
 * @returns {Tally}
 */
export function tally(report) {
  if (report === undefined) return failedRun;
  return report.testResults.map(tallyFile).reduce(add, { passed: 0, failed: 0, skipped: 0 });
}

/** @param {FileResult} file @returns {Tally} */
function tallyFile(file) {
  const of = (/** @type {string} */ status) =>
    file.assertionResults.filter((t) => t.status === status).length;
  const passed = of('passed');
  const failed = of('failed');
  const skipped = file.assertionResults.length - passed - failed;
  return { passed, skipped, failed: file.status === 'failed' ? Math.max(failed, 1) : failed };
}

/** @param {Tally} a @param {Tally} b @returns {Tally} */
export function add(a, b) {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/**
 * Why a run is not a success although no test says so, or undefined.
 * @param {Tally} sum
 * @param {boolean} exitedWell
 */
export function objection(sum, exitedWell) {
  if (sum.failed > 0) return undefined;
  if (!exitedWell) return 'the run failed outside its tests (see above)';
  if (sum.passed === 0) return 'no test ran';
  return undefined;
}

/** @param {Report | undefined} report @returns {Skip[]} */
export function skips(report) {
  return (report?.testResults ?? [])
    .flatMap((file) => file.assertionResults)
    .filter((test) => test.status !== 'passed' && test.status !== 'failed')
    .map((test) => ({ name: test.fullName, reason: test.meta?.skipReason }));
}

/**
 * What a CI machine may lack. Anything else that is skipped there would stay unnoticed for ever.
 * @param {Skip} skip
 */
export function isExcused(skip) {
  return /\bneeds (root|Go)\b/.test(skip.reason ?? '');
}

/** @param {Tally} sum the last line of every run */
export function lastLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
