import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../project/program.js';
import { type Snippet, snippetsOf } from '../project/snippets.js';

const file = 'docs/security.md';
const text = readFileSync(join(root, file), 'utf8');

/** The commands that docs/security.md marks with `<!-- commands: NAME -->`. */
export function documentedCommands(name: string): Snippet {
  const [found, ...others] = snippetsOf(file, text).filter(({ comments }) =>
    comments.includes(`commands: ${name}`),
  );
  if (!found || others.length > 0) throw new Error(`${file} has not exactly one block of commands "${name}"`);
  return found;
}

/** The rows of its table of permissions with this heading: what is used, and the prefixes that it needs. */
export function documentedNeeds(heading: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  if (start < 0) throw new Error(`${file} has no table "${heading}"`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return new Map(rows.slice(0, end < 0 ? undefined : end).map(toNeed));
}

function toNeed(row: string): [string, readonly string[]] {
  const [, use = '', needs = ''] = row.split('|').map((cell) => cell.trim());
  return [use, [...needs.matchAll(/`([^`]+)`/g)].map(([, prefix = '']) => prefix)];
}
