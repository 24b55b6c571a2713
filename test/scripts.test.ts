import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { releases } from '../scripts/etcd-versions.js';
import { root, run } from './project/program.js';

const folder = mkdtempSync(join(tmpdir(), 'conclave-scripts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file of vitest's JSON report with tests of these statuses. */
function file(status: 'passed' | 'failed', ...tests: string[]): object {
  return { status, assertionResults: tests.map((each) => ({ fullName: each, status: each })) };
}

function report(name: string, ...files: object[]): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify({ testResults: files }));
  return path;
}

function summary(...args: string[]): Promise<string> {
  return run(process.execPath, [join(root, 'scripts/summary.js'), ...args], { cwd: folder });
}

const good = report('good.json', file('passed', 'passed', 'passed'), file('passed', 'passed'));
const skipping = report('skipping.json', file('passed', 'passed', 'skipped', 'todo'));
const bad = report('bad.json', file('failed', 'passed', 'failed'));
const broken = report('broken.json', file('failed'), file('passed', 'passed'));

describe('the last line of several runs', () => {
  it('is their sum', async () => {
    expect(await summary(good, good)).toBe('6 passed, 0 failed\n');
  });

  it('names skipped tests only if there are any', async () => {
    expect(await summary(good, skipping)).toBe('4 passed, 0 failed, 2 skipped\n');
  });

  it('comes with a failing exit status if a test failed', async () => {
    await expect(summary(good, bad)).rejects.toThrow('4 passed, 1 failed');
  });

  it.each([
    ['a file that could not be loaded', [good, broken], '4 passed, 1 failed'],
    ['a run that left no report', [good, join(folder, 'gone.json')], '3 passed, 1 failed'],
    ['a step that failed beside the tests', ['--status', '2', good], '3 passed, 1 failed'],
    ['runs without a test', [report('empty.json')], '0 passed, 1 failed'],
  ])('counts %s as a failure', async (_, args, line) => {
    await expect(summary(...args)).rejects.toThrow(line);
  });
});

describe('the versions of etcd that are not installed', () => {
  const building = (env: Record<string, string>): Promise<string> =>
    run(process.execPath, [join(root, 'scripts/build-etcd.js')], { cwd: folder, env });

  it('are left out without Go, which is said for each', async () => {
    const said = await building({ PATH: folder, XDG_CACHE_HOME: folder });
    expect(said).toMatch(/^(etcd 3\.\d+\.\d+: not built: needs Go\n){2}$/);
  });

  it('are built once', async () => {
    for (const release of Object.values(releases)) {
      const built = join(folder, 'conclave', 'etcd', release);
      mkdirSync(built, { recursive: true });
      writeFileSync(join(built, 'etcd'), '');
    }
    const said = await building({ PATH: folder, XDG_CACHE_HOME: folder });
    expect(said).toMatch(/^(etcd 3\.\d+\.\d+: found in .+\n){2}$/);
  });
});
