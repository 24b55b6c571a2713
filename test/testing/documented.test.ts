import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { probes } from '../../src/base/probes.js';
import { documentedSnippets, runSnippet } from '../project/snippet-runner.js';

const testing = 'docs/testing.md';

it('the documented points are those that there are', () => {
  const text = readFileSync(new URL(`../../${testing}`, import.meta.url), 'utf8');
  const [, table = ''] = /^\| points \|.*\n\|.*\n((?:\|.*\n)+)/m.exec(text) ?? [];
  const points = table.split('\n').map((row) => row.split('|')[1] ?? '');
  const names = points.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
  expect(names.sort()).toEqual([...probes].sort());
});

// A test that is copied from there must find what it is for, and notice that nothing was tested.
it.each([
  ['does not fence', "await worker.store.put('counter', String(next));", 'seed 1: '],
  ['has a bug', "throw new TypeError('a bug');", 'TypeError: a bug'],
  ['is always refused', 'await hold.release(); hold.assertHeld();', 'nothing was ever added'],
])(
  'the documented search by seeds fails for code that %s',
  { timeout: 40_000 },
  async (_, broken, message) => {
    const commit = "await hold.commit([put('counter', String(next))]);";
    const search = documentedSnippets().find(({ file, code }) => file === testing && code.includes(commit));
    if (!search) throw new Error(`no program with ${commit} in ${testing}`);
    await expect(runSnippet({ ...search, code: search.code.replace(commit, broken) })).rejects.toThrow(
      message,
    );
  },
);
