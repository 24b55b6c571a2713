import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of `package.json`, without a slash at its end. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/**
 * A new folder for programs: inside the package, so that its own name leads to `dist`; put on the PATH, `conclave` is its
 * program. Whoever asks for it removes it.
 */
export function programFolder(): string {
  const parent = join(root, '.cache', 'snippets');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'run-'));
  const program = `#!/bin/sh\nexec node "${root}/dist/cli/main.js" "$@"\n`;
  writeFileSync(join(folder, 'conclave'), program, { mode: 0o755 });
  return folder;
}

export interface ProgramOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** @default 30_000 */
  readonly timeoutMs?: number;
}

/** Runs a program to its end. Resolves to what it printed; rejects, with all of it, if it failed or took too long. */
export function run(program: string, args: readonly string[], options: ProgramOptions): Promise<string> {
  const { cwd, env = {}, timeoutMs = 30_000 } = options;
  const settings = {
    cwd,
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: ${ending(error, timeoutMs)}\n${stdout}${stderr}`));
    });
    child.stdin?.end();
  });
}

function ending(error: { readonly code?: unknown; readonly killed?: boolean }, timeoutMs: number): string {
  return error.killed === true ? `still running after ${timeoutMs} ms` : `exit status ${String(error.code)}`;
}
