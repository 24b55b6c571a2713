import { describe, expect, it } from 'vitest';
import { documentedSnippets, runSnippet } from './project/snippet-runner.js';
import { intentOf, isPrinted, snippetsOf, type Snippet } from './project/snippets.js';

const fence = '```';
const documented = documentedSnippets();

function named(snippet: Snippet): [string, Snippet] {
  return [`${snippet.file}:${snippet.line}`, snippet];
}

function only(text: string): Snippet {
  const [snippet, ...others] = snippetsOf('a.md', text);
  if (snippet === undefined || others.length > 0) throw new Error('one snippet expected');
  return snippet;
}

function js(code: string, output?: string): Snippet {
  return {
    file: 'a.md',
    line: 1,
    language: 'js',
    code,
    comments: ['run'],
    ...(output === undefined ? {} : { output }),
  };
}

describe('the documents', () => {
  it('say of every snippet whether it is run, or why not', () => {
    const unsaid = documented.filter((snippet) => intentOf(snippet) === 'unsaid');
    expect(unsaid.map((snippet) => named(snippet)[0])).toEqual([]);
  });

  it.each(documented.filter((snippet) => intentOf(snippet) === 'run').map(named))(
    'show in %s a snippet that runs and prints what they say',
    { timeout: 40_000 },
    async (_, snippet) => runSnippet(snippet),
  );
});

describe('a snippet', () => {
  it('is found with its comments, its line and its output', () => {
    const text = ['# Title', '', '<!-- first program -->', '<!-- run -->', '', `${fence}ts`, 'f();', fence];
    const printed = ['', `${fence}text`, 'done', fence, ''];
    expect(only([...text, ...printed].join('\n'))).toEqual({
      file: 'a.md',
      line: 6,
      language: 'ts',
      code: 'f();',
      comments: ['first program', 'run'],
      output: 'done',
    });
  });

  it('is found within a list', () => {
    const item = [
      '1. Do this:',
      '   <!-- run -->',
      `   ${fence}bash`,
      '   if true; then',
      '     ls; fi',
      `   ${fence}`,
    ];
    expect(only(item.join('\n'))).toMatchObject({ code: 'if true; then\n  ls; fi', comments: ['run'] });
  });

  it('does not take a comment or an output from beyond a paragraph', () => {
    const apart = ['<!-- run -->', 'Text.', `${fence}js`, 'f();', fence, 'More.', `${fence}text`, 'x', fence];
    const snippet = only(apart.join('\n'));
    expect(snippet.output).toBeUndefined();
    expect(intentOf(snippet)).toBe('unsaid');
  });

  it('needs a reason not to be run', () => {
    expect(intentOf({ ...js(''), comments: ['not run: it never ends'] })).toBe('not run');
    expect(intentOf({ ...js(''), comments: ['not run:'] })).toBe('unsaid');
  });

  it.each([
    ['a\nb', 'a\nb\n', true],
    ['a\nb', 'a\nb\nc\n', false],
    ['a\n...\nd', 'a\nb\nc\nd\n', true],
    ['a\n...\nd', 'a\nd\n', true],
    ['token … held', 'token 42 held', true],
    ['token … held', 'token\nheld', false],
    ['(a.b)', '(a.b)', true],
    ['a.b', 'axb', false],
  ])('that promises %j and prints %j: %j', (expected, actual, verdict) => {
    expect(isPrinted(expected, actual)).toBe(verdict);
  });

  it('fails when it throws', async () => {
    await expect(runSnippet(js('throw new Error("boom")'))).rejects.toThrow('boom');
  });

  it('fails when it prints something else', async () => {
    await expect(runSnippet(js('console.log(1)', '2'))).rejects.toThrow('a.md:1 says');
  });

  it('may be TypeScript with `await using`, on Node 20 too', async () => {
    const code = `await using it = { async [Symbol.asyncDispose](): Promise<void> { console.log('gone'); } };
      console.log(typeof it as string);`;
    await runSnippet({ ...js(code, 'object\ngone'), language: 'ts' });
  });

  it('may be a command', async () => {
    await runSnippet({ ...js('echo $((6 * 7)) | cat', '42'), language: 'bash' });
    await expect(runSnippet({ ...js('false | cat'), language: 'bash' })).rejects.toThrow('exit status 1');
  });
});
