/**
 * The code in our documents, and what is said about it in HTML comments, which a reader does not see:
 *
 * - `<!-- run -->`: the test runs it; it needs no etcd.
 * - `<!-- run: etcd -->`: the test runs it with an etcd in the place of `127.0.0.1:2379`.
 * - `<!-- not run: REASON -->`
 * - `<!-- first program -->`, beside `run`: also run against the packed package.
 *
 * A `text` block right after a block that is run is what it prints. There, a line `...` stands for any lines, and `…`
 * for anything within a line.
 */
export interface Snippet {
  readonly file: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  readonly language: Language;
  readonly code: string;
  readonly comments: readonly string[];
  readonly output?: string;
}

export type Language = 'js' | 'ts' | 'bash';

const languages: Readonly<Record<string, Language>> = {
  js: 'js',
  mjs: 'js',
  javascript: 'js',
  ts: 'ts',
  typescript: 'ts',
  bash: 'bash',
  sh: 'bash',
  shell: 'bash',
};

interface Block {
  readonly line: number;
  readonly info: string;
  readonly body: string;
  readonly comments: readonly string[];
  /** Nothing but blank lines lies between this block and the one before. */
  readonly follows: boolean;
}

export function snippetsOf(file: string, text: string): Snippet[] {
  const blocks = blocksOf(text);
  return blocks.flatMap(({ line, info, body, comments }, index) => {
    const language = languages[info];
    if (language === undefined) return [];
    const next = blocks[index + 1];
    const output = next?.follows === true && next.info === 'text' ? { output: next.body } : {};
    return [{ file, line, language, code: body, comments, ...output }];
  });
}

function blocksOf(text: string): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  let comments: string[] = [];
  let follows = false;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const comment = /^\s*<!--\s*(.*?)\s*-->\s*$/.exec(line)?.[1];
    const [, indent, fence, info] = /^(\s*)(`{3,}|~{3,})\s*([\w-]*)/.exec(line) ?? [];
    if (fence !== undefined && indent !== undefined) {
      const end = lines.findIndex((each, at) => at > index && each.trim() === fence);
      if (end < 0) throw new Error(`the block opened in line ${index + 1} is not closed`);
      const body = lines.slice(index + 1, end).map((each) => each.replace(indent, ''));
      blocks.push({ line: index + 1, info: info ?? '', body: body.join('\n'), comments, follows });
      index = end;
      comments = [];
      follows = true;
    } else if (comment !== undefined) {
      comments.push(comment);
    } else if (line.trim() !== '') {
      comments = [];
      follows = false;
    }
  }
  return blocks;
}

export type Intent = 'run' | 'run on etcd' | 'not run' | 'unsaid';

export function intentOf({ comments }: Snippet): Intent {
  if (comments.includes('run')) return 'run';
  if (comments.includes('run: etcd')) return 'run on etcd';
  return comments.some((comment) => /^not run: \S/.test(comment)) ? 'not run' : 'unsaid';
}

/** Whether a program printed what its document says. */
export function isPrinted(expected: string, actual: string): boolean {
  const pattern = expected.trim().split('\n').map(linePattern).join('');
  return new RegExp(`^${pattern}$`).test(`${actual.trim()}\n`);
}

function linePattern(line: string): string {
  if (line.trim() === '...') return '(?:.*\\n)*?';
  const text = line.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `${text.replaceAll('…', '.*')}[^\\S\\n]*\\n`;
}
