import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import ts from 'typescript';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { root } from '../../project/program.js';
import { patience } from '../../rig/patience.js';
import { asset } from './assets.js';
import { skipIf } from './skip.js';
import { lacks, type Tool } from './tools.js';

const tools: readonly Tool[] = ['netns', 'freezer', 'cpu quota', 'strace'];
const lacking = tools.map(lacks).find((reason) => reason !== undefined);

describe('a run with everything that a rig can have', () => {
  let compiled: string;
  beforeAll(() => {
    compiled = compile('test/chaos/rig', 'test/rig');
  });
  beforeEach(skipIf(lacking));
  afterAll(() => rmSync(compiled, { recursive: true, force: true }));

  it.each(['disposes of its rig', 'is killed'])('leaves nothing when it %s', async (end) => {
    const mark = `CONCLAVE_TEST_RUN=${process.pid}-${performance.now()}`;
    const run = start(compiled, mark);
    try {
      const [{ directory }] = (await once(run, 'message')) as [{ directory: string }];
      const before = leftovers(run.pid!, mark);
      expect(before.names.length).toBeGreaterThanOrEqual(6 + 3);
      expect(before.processes.length).toBeGreaterThanOrEqual(8);
      if (end === 'is killed') run.kill('SIGKILL');
      else {
        run.send('dispose');
        await once(run, 'message');
      }
      await vi.waitFor(() => {
        expect(leftovers(run.pid!, mark)).toEqual({ names: [], processes: [] });
        expect(existsSync(dirname(directory))).toBe(false);
      }, patience);
    } finally {
      run.kill('SIGKILL');
    }
  });
});

function start(compiled: string, mark: string): ChildProcess {
  const [name = '', value] = mark.split('=');
  return spawn(process.execPath, [asset('leftover-process.js'), compiled, asset('probe-process.js')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [name]: value },
  });
}

/** Namespaces and cgroups with the name of a run, and the processes that it or its children have started. */
function leftovers(pid: number, mark: string): { names: string[]; processes: string[] } {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
  const groups = mounts.filter((line) => / cgroup2? /.test(line)).map((line) => line.split(' ')[1] ?? '');
  const folders = ['/run/netns', ...groups].filter((folder) => existsSync(folder));
  const names = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  const processes = readdirSync('/proc').filter(
    (id) => /^\d+$/.test(id) && id !== String(pid) && isMarked(id, mark),
  );
  return {
    names: names.filter((name) => name.includes(`/conclave-${pid}-`)),
    processes: processes.map(commandOf),
  };
}

function isMarked(pid: string, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(mark);
  } catch {
    return false; // it has just ended
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return pid;
  }
}

/** These folders as JavaScript, in a folder of the package, as a run outside vitest has them. */
function compile(...folders: readonly string[]): string {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const target = mkdtempSync(join(root, '.cache/rig-'));
  for (const folder of folders) {
    mkdirSync(join(target, folder), { recursive: true });
    for (const name of readdirSync(join(root, folder)).filter((each) => /(?<!\.test)\.ts$/.test(each))) {
      const source = readFileSync(join(root, folder, name), 'utf8');
      const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
      const { outputText } = ts.transpileModule(source, { compilerOptions });
      writeFileSync(join(target, folder, name.replace(/ts$/, 'js')), outputText);
    }
  }
  mkdirSync(join(target, 'scripts'));
  copyFileSync(join(root, 'scripts/etcd-versions.js'), join(target, 'scripts/etcd-versions.js'));
  return target;
}
