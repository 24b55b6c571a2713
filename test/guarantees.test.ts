import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { scenarios } from './chaos/scenarios/list.js';
import { root } from './project/program.js';
import { workloads } from './simulation/workloads.js';

interface Reference {
  readonly file: string;
  readonly name: string;
}

/** ``- `FILE`: NAME`` */
function referencesIn(text: string): Reference[] {
  const lines = text.matchAll(/^- `(test\/[\w./-]+\.test\.ts)`: (.+)$/gm);
  return [...lines].map(([, file = '', name = '']) => ({ file, name }));
}

/** The full names of the tests whose titles are written out: those of their groups, and their own. */
function testNames(text: string): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node, groups: readonly string[]): void => {
    const title = titleOf(node);
    if (title?.kind === 'test') names.push([...groups, title.text].join(' '));
    const inner = title?.kind === 'group' ? [...groups, title.text] : groups;
    ts.forEachChild(node, (child) => visit(child, inner));
  };
  visit(ts.createSourceFile('a.ts', text, ts.ScriptTarget.ESNext), []);
  return names;
}

function titleOf(node: ts.Node): { kind: 'group' | 'test'; text: string } | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const [title] = node.arguments;
  if (title === undefined || !ts.isStringLiteralLike(title)) return undefined;
  if (!ts.isIdentifier(node.expression)) return undefined;
  const { text } = node.expression;
  if (text === 'describe') return { kind: 'group', text: title.text };
  return text === 'it' || text === 'test' ? { kind: 'test', text: title.text } : undefined;
}

describe.each<[string, readonly string[]]>([
  ['docs/guarantees.md', []],
  ['docs/operations.md', []],
  ['docs/migration.md', ['From `redlock`', 'From BullMQ']],
])('%s', (document, withoutTests) => {
  const documented = readFileSync(join(root, document), 'utf8');
  const references = referencesIn(documented);

  it('names tests under each of its headings that promises something', () => {
    const sections = documented.split(/^## /m).slice(1);
    const bare = sections.filter((section) => referencesIn(section).length === 0);
    expect(bare.map((section) => section.split('\n')[0])).toEqual(withoutTests);
    expect(references.length).toBe(documented.match(/^- `test/gm)?.length);
  });

  it.each(references)('is right that there is a test in $file: $name', ({ file, name }) => {
    expect(existsSync(join(root, file))).toBe(true);
    expect(testNames(readFileSync(join(root, file), 'utf8'))).toContain(name);
  });
});

it('the names of tests are read with those of their groups', () => {
  const text = `describe('a', () => { it('b', f); describe('c', () => { test('d', f); }); }); it('e', f); other('g');`;
  expect(testNames(text)).toEqual(['a b', 'a c d', 'e']);
});

describe('what is tried by chance', () => {
  const documented = readFileSync(join(root, 'docs/guarantees.md'), 'utf8');
  const named = (pattern: RegExp): string[] => [...documented.matchAll(pattern)].map(([, name = '']) => name);

  it('has each simulation in the guarantees, and no other', () => {
    const names = new Set(named(/^- simulation: `(.+)`$/gm));
    expect(names).toEqual(new Set(workloads.map(({ name }) => name)));
  });

  it('has each scenario in the guarantees, and no other, and says which of them CI does not play', () => {
    const played = new Set(scenarios.filter(({ tier }) => tier === 'P').map(({ title }) => title));
    const names = new Set(named(/^- scenario (.+)$/gm));
    const expected = scenarios.map(({ number, title }) =>
      played.has(title) ? `${number}: ${title}` : `${number}, long run: ${title}`,
    );
    expect(names).toEqual(new Set(expected));
  });
});
