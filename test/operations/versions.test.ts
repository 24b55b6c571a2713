import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { releases } from '../../scripts/etcd-versions.js';
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
