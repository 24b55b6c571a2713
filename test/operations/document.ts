import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../project/program.js';
import { type Snippet, snippetsOf } from '../project/snippets.js';

const file = 'docs/operations.md';
const text = readFileSync(join(root, file), 'utf8');

/** The rows of the table whose first heading is this one, cell by cell. */
export function documentedTable(heading: string): readonly (readonly string[])[] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${heading} |`));
  if (start < 0) throw new Error(`${file} has no table "${heading}"`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end < 0 ? undefined : end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The snippet beside which a comment says just this. */
export function documentedSnippet(comment: string): Snippet {
  const [found, ...others] = snippetsOf(file, text).filter(({ comments }) => comments.includes(comment));
  if (!found || others.length > 0) throw new Error(`${file} has not exactly one block "${comment}"`);
  return found;
}

/** Everything that is said. */
export function documentedText(): string {
  return text;
}
