import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { programFolder, root, run } from './program.js';
import { isPrinted, snippetsOf, type Snippet } from './snippets.js';

/** Every snippet of the README and of docs/. */
export function documentedSnippets(): Snippet[] {
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  const files = ['README.md', ...docs.sort().map((name) => `docs/${name}`)];
  return files.flatMap((file) => snippetsOf(file, readFileSync(join(root, file), 'utf8')));
}

/** What Node runs: TypeScript loses its types, and `await using` becomes what Node 20 knows. */
export function asJavaScript({ language, code }: Snippet): string {
  if (language !== 'ts') return code;
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(code, { compilerOptions }).outputText;
}

/**
 * Runs a snippet with the built package as `conclave`, in a folder of its own. Rejects if it fails, or prints something
 * else than its document says.
 */
export async function runSnippet(snippet: Snippet, endpoint = '127.0.0.1:2379'): Promise<void> {
  const folder = programFolder();
  try {
    const code = asJavaScript(snippet).replaceAll('127.0.0.1:2379', endpoint);
    const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}`, CONCLAVE_ENDPOINTS: `http://${endpoint}` };
    checkOutput(snippet, await run(...commandFor(snippet, code, folder), { cwd: folder, env }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function checkOutput({ file, line, output }: Snippet, printed: string): void {
  if (output === undefined || isPrinted(output, printed)) return;
  throw new Error(`${file}:${line} says that this is printed:\n${output}\nbut it was:\n${printed}`);
}

function commandFor({ language }: Snippet, code: string, folder: string): [string, string[]] {
  if (language === 'bash') return ['bash', ['-euo', 'pipefail', '-c', code]];
  const path = join(folder, 'snippet.mjs');
  writeFileSync(path, code);
  return [process.execPath, [path]];
}
