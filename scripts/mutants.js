/**
 * Breaks one guard at a time in a copy of the sources and demands that its test fails.
 *
 * `npm run test:mutants`, or with a part of a name, or of a test's file: `npm run test:mutants -- epoch`. Two run at a
 * time; another number is given by CONCLAVE_MUTANTS_PARALLEL.
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mutants } from '../test/mutants/mutants.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const copied = ['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
const wanted = process.argv[2] ?? '';
const parallel = Number(process.env['CONCLAVE_MUTANTS_PARALLEL'] ?? 2);
const hangMs = 60_000;

const chosen = mutants.filter(({ name, test }) => name.includes(wanted) || test.includes(wanted));
const waiting = [...chosen];
let survivors = 0;
await Promise.all(Array.from({ length: parallel }, work));
console.log(`${chosen.length - survivors} passed, ${survivors} failed`);
process.exitCode = survivors > 0 || chosen.length === 0 ? 1 : 0;

/** One copy of the sources, in which one mutant after the other is tried. */
async function work() {
  const folder = await mkdtemp(join(tmpdir(), 'conclave-mutants-'));
  try {
    for (const name of copied) await cp(join(root, name), join(folder, name), { recursive: true });
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const verdict = await tryMutant(folder, mutant);
      if (verdict !== 'killed') survivors++;
      console.log(
        verdict === 'killed' ? `killed    ${mutant.name}` : `SURVIVED  ${mutant.name} (${verdict})`,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} folder
 * @param {import('../test/mutants/mutants.js').Mutant} mutant
 * @returns {Promise<string>}
 */
async function tryMutant(folder, { test, title, also, ...edit }) {
  const edits = also ? [edit, also] : [edit];
  try {
    for (const { file, find, replace } of edits) {
      const path = join(folder, file);
      const text = await readFile(path, 'utf8');
      const count = text.split(find).length - 1;
      if (count !== 1) return `the line to break occurs ${count} times in ${file}`;
      await writeFile(
        path,
        text.replace(find, () => replace),
      );
    }
    const report = await runTest(folder, test, title);
    if (report.numPassedTests + report.numFailedTests === 0) return `no test has the title "${title}"`;
    return report.numFailedTests > 0 ? 'killed' : `"${title}" passes`;
  } finally {
    for (const { file } of edits) await cp(join(root, file), join(folder, file));
  }
}

/**
 * @param {string} folder
 * @param {string} test
 * @param {string} title
 * @returns {Promise<{ numPassedTests: number, numFailedTests: number }>}
 */
async function runTest(folder, test, title) {
  const output = join(folder, 'report.json');
  await rm(output, { force: true });
  const pattern = title.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const args = [
    'run',
    '--project',
    'unit',
    test,
    '-t',
    pattern,
    '--reporter',
    'json',
    '--outputFile',
    output,
  ];
  const child = spawn(process.execPath, [vitest, ...args], { cwd: folder, stdio: 'ignore', detached: true });
  // A mutant that runs for ever is as dead as one that fails: the group is ended, vitest's workers included.
  const limit = setTimeout(() => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, hangMs);
  await new Promise((resolve) => child.on('exit', resolve));
  clearTimeout(limit);
  const text = await readFile(output, 'utf8').catch(() => undefined);
  return text === undefined ? { numPassedTests: 0, numFailedTests: 1 } : JSON.parse(text);
}
