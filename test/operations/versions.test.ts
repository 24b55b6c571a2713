import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { releases } from '../../scripts/etcd-versions.js';
import { judgeVersion } from '../../src/cli/doctor-versions.js';
import { root } from '../project/program.js';
import { documentedTable } from './document.js';

it('the versions that are said to be tested are those that the tests run on', () => {
  const rows = documentedTable('server');
  const testedWith = new Map(rows.map(([what, , tested]) => [what, tested]));
  expect(testedWith.get('etcd 3.5')).toBe(releases['3.5']);
  expect(testedWith.get('etcd 3.6')).toBe(releases['3.6']);
  const oldest = new Map(rows.map(([what, version]) => [what, version]));
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly engines: { readonly node: string };
  };
  expect(`>=${oldest.get('Node') ?? ''}`).toBe(engines.node);
});

it('the doctor knows of the same bugs as docs/operations.md, and of none in what is recommended', () => {
  const bugs = documentedTable('in etcd')
    .filter(([what]) => !what?.includes('how far')) // of no interest to primitives
    .map(([what = '', mended = '']) => ({
      since: Number(/since 3\.4\.(\d+)/.exec(what)?.[1] ?? 0),
      mended: new Map(mended.split(', ').map((version) => splitVersion(version))),
    }));
  expect(bugs.length).toBeGreaterThan(5);
  for (const line of ['3.4', '3.5', '3.6']) {
    for (let patch = 0; patch < 50; patch++) {
      const documented = bugs.filter(
        ({ since, mended }) => patch < (mended.get(line) ?? 0) && (line !== '3.4' || patch >= since),
      );
      const found = judgeVersion(`${line}.${patch}`, false).filter(({ verdict }) => verdict !== 'ok');
      expect({ version: `${line}.${patch}`, bugs: found.length }).toEqual({
        version: `${line}.${patch}`,
        bugs: documented.length,
      });
    }
  }
  for (const [what, , , recommended = ''] of documentedTable('server').slice(0, 3)) {
    const verdicts = judgeVersion(recommended.replace(' or later', ''), true).map(({ verdict }) => verdict);
    expect([what, verdicts]).toEqual([what, ['ok']]);
  }
});

/** `3.4.36` as the line and the patch. */
function splitVersion(version: string): [line: string, patch: number] {
  const [major, minor, patch] = version.split('.');
  return [`${major}.${minor}`, Number(patch)];
}
