// node scripts/test.js SUITE [vitest arguments]: runs a suite. Its last line is `N passed, N failed`.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { add, isExcused, lastLine, objection, readReport, skips, tally } from './report.js';

/**
 * A suite is some of the projects of vitest.config.ts. It should end within its budget; at twice the budget it hangs.
 * @type {Record<string, { projects: string[], budgetMinutes: number }>}
 */
const suites = {
  unit: { projects: ['unit'], budgetMinutes: 4 },
  test: { projects: ['unit', 'smoke'], budgetMinutes: 6 },
  cluster: { projects: ['smoke', 'etcd', 'cluster'], budgetMinutes: 20 },
};

/** @typedef {{ exitedWell: boolean, hung: boolean, minutes: number }} Ending */

/**
 * @param {string[]} args
 * @param {number} limitMinutes
 * @returns {Promise<Ending>}
 */
function runVitest(args, limitMinutes) {
  const vitest = 'node_modules/vitest/vitest.mjs';
  const started = Date.now();
  let hung = false;
  const child = spawn(process.execPath, [vitest, 'run', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const stop = setTimeout(() => {
    hung = true;
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 5_000).unref();
  }, limitMinutes * 60_000);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(stop);
      resolve({ exitedWell: code === 0, hung, minutes: (Date.now() - started) / 60_000 });
    });
  });
}

/**
 * Prints every reason once, and returns the number of skips that make a CI run fail.
 * @param {import('./report.js').Skip[]} all
 */
function reportSkips(all) {
  const groups = new Map();
  for (const skip of all) {
    const reason = skip.reason ?? 'no reason given';
    groups.set(reason, [...(groups.get(reason) ?? []), skip.name]);
  }
  for (const [reason, names] of groups) {
    const shown = names.slice(0, 5).join('\n    ');
    const more = names.length > 5 ? `\n    and ${names.length - 5} more` : '';
    console.log(`skipped, ${reason}:\n    ${shown}${more}`);
  }
  return process.env['CI'] ? all.filter((skip) => !isExcused(skip)).length : 0;
}

const [name = '', ...rest] = process.argv.slice(2);
const suite = suites[name];
if (suite === undefined) {
  console.error(`usage: node scripts/test.js ${Object.keys(suites).join('|')} [vitest arguments]`);
  process.exit(64);
}

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const reportPath = `test-results/${name}.json`;
mkdirSync('test-results', { recursive: true });
rmSync(reportPath, { force: true });

const reporters = ['--reporter=default', '--reporter=./scripts/skip-reasons.js', '--reporter=json'];
const ending = await runVitest(
  [
    ...suite.projects.flatMap((project) => ['--project', project]),
    ...reporters,
    `--outputFile.json=${reportPath}`,
    ...rest,
  ],
  suite.budgetMinutes * 2,
);

const report = readReport(reportPath);
let sum = tally(report);
const unexcused = reportSkips(skips(report));
if (unexcused > 0) {
  console.log(
    `${unexcused} tests were skipped for another reason than "needs root" or "needs Go": not in CI`,
  );
  sum = add(sum, { passed: 0, failed: unexcused, skipped: -unexcused });
}
const why = ending.hung
  ? `still running after ${suite.budgetMinutes * 2} minutes`
  : objection(sum, ending.exitedWell);
if (why !== undefined) {
  console.log(`failed: ${why}`);
  sum = add(sum, { passed: 0, failed: sum.failed > 0 ? 0 : 1, skipped: 0 });
}
if (ending.minutes > suite.budgetMinutes) {
  console.log(
    `${name} took ${ending.minutes.toFixed(1)} of its ${suite.budgetMinutes} minutes: make it shorter`,
  );
}
console.log(lastLine(sum));
process.exitCode = sum.failed > 0 ? 1 : 0;
