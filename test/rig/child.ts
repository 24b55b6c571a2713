import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import ts from 'typescript';

const root = resolve(import.meta.dirname, '../..');

/** The sources as plain JavaScript, for scripts that run in a process of their own. */
export class ChildScripts implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Strips the types of these folders of `src`. Inside the project, so that dependencies are found. */
  static async prepare(...folders: readonly string[]): Promise<ChildScripts> {
    await mkdir(join(root, '.cache'), { recursive: true });
    const directory = await mkdtemp(join(root, '.cache/child-'));
    await Promise.all(folders.map((folder) => transpile(folder, directory)));
    return new ChildScripts(directory);
  }

  /** Runs a module, whose imports are relative to `src`. Resolves with how it ended, at the latest killed in time. */
  async run(source: string, timeoutMs: number): Promise<{ code: number | null; output: string }> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      cwd: this.#directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let output = '';
    for (const pipe of [child.stdout, child.stderr])
      pipe.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { code, output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function transpile(folder: string, directory: string): Promise<void> {
  for (const file of await readdir(join(root, 'src', folder), { recursive: true })) {
    if (!file.endsWith('.ts')) continue;
    const target = join(directory, folder, file.replace(/\.ts$/, '.js'));
    const { outputText } = ts.transpileModule(await readFile(join(root, 'src', folder, file), 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        verbatimModuleSyntax: true,
      },
    });
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText);
  }
}
