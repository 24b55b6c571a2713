import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { root } from './project/program.js';
import { until } from './cli/conclave-program.js';

/** Everything the demo puts aside is put here. */
let folder: string;
/** The demo is the leader of a process group: its members are it and whatever it has started. */
let group: number | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'conclave-demo-test-'));
});
afterEach(() => {
  if (group !== undefined && isAlive(-group)) process.kill(-group, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Demo {
  output: string;
  readonly pid: number;
  readonly ended: Promise<number | null>;
}

function demo(env: Readonly<Record<string, string>> = {}): Demo {
  const child = spawn(process.execPath, [join(root, 'examples/demo/demo.js')], {
    cwd: folder,
    detached: true,
    env: { ...process.env, TMPDIR: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  group = child.pid!;
  const ended = once(child, 'close').then(([status]) => status as number | null);
  const result: Demo = { output: '', pid: group, ended };
  const add = (text: string): void => void (result.output += text);
  child.stdout.setEncoding('utf8').on('data', add);
  child.stderr.setEncoding('utf8').on('data', add);
  return result;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function expectNothingLeft(): Promise<void> {
  await until(() => !isAlive(-group!), 'no process is left', 2_000);
  await until(() => readdirSync(folder).length === 0, 'no file is left', 2_000);
}

const proof =
  /in the file +40 payments +18565\.25 EUR\nacknowledged to workers +40 payments +18565\.25 EUR\nin the shared ledger +40 payments +18565\.25 EUR\n/;

/** A foreman is killed when nobody stands in line, the next one is paused when somebody does: seen from outside. */
const succession =
  /observer .* no foreman yet\n[^]*observer .* the foreman is worker 2\n[^]*NO FOREMAN: worker 2 is gone, [^]*the foreman is (worker [1345])\n[^]*the foreman is worker [1345], right after \1: it stood in line\n/;
const claims = /^(yes {2}.+\n){8}$/m;
/** All meet before the first receipt is sent, and one is killed with receipts in hand. */
const receipts =
  /(at the barrier: now all are there\n[^]*){4}; receipt (.+) was in its hands\n[^]*sends receipt \2, attempt 2\n[^]*receipts sent +200\n/;

it('the demo books every payment once on an etcd of its own, through a kill and a zombie', async () => {
  const run = demo();
  expect([await run.ended, run.output]).toEqual([0, expect.stringMatching(proof)]);
  expect(run.output).toMatch(/^Five processes, and an etcd of our own/);
  expect(run.output).toMatch(
    /SIGKILL: [^]*takes over[^]*SIGSTOP: [^]*takes over[^]*SIGCONT: [^]*REFUSED by the store/,
  );
  expect(run.output).toMatch(succession);
  expect(run.output).toMatch(claims);
  expect(run.output).toMatch(receipts);
  await expectNothingLeft();
});

it('the demo does without etcd if there is none, and says so', async () => {
  const run = demo({ PATH: folder });
  expect([await run.ended, run.output]).toEqual([0, expect.stringMatching(proof)]);
  expect(run.output).toMatch(/^There is no etcd on the PATH/);
  expect(run.output).toMatch(/cut off[^]*takes over[^]*takes over[^]*REFUSED by the store/);
  expect(run.output).toMatch(succession);
  expect(run.output).toMatch(claims);
  expect(run.output).toMatch(receipts);
  await expectNothingLeft();
});

it.each([
  ['is interrupted', 'SIGTERM'],
  ['is killed', 'SIGKILL'],
] as const)('the demo leaves nothing behind when it %s', async (_, signal) => {
  const run = demo();
  await until(() => run.output.includes('P003'), 'it is under way');
  process.kill(run.pid, signal);
  expect(await run.ended).not.toBe(0);
  await expectNothingLeft();
});
