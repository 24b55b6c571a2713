import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root } from '../project/program.js';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The built program, running, in a process group of its own. When it is disposed of, whatever is left of the group is
 * killed: a command may outlive its `conclave`.
 */
export class ConclaveProgram implements AsyncDisposable {
  readonly child: ChildProcess;
  /** Settles when the program has ended and its output is complete. */
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  /** @param script another program, such as an example */
  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string | undefined>> = {},
    script = 'dist/cli/main.js',
  ) {
    this.child = spawn(process.execPath, [join(root, script), ...args], {
      env: { ...process.env, CONCLAVE_ENDPOINTS: undefined, ...env },
      detached: true,
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = once(this.child, 'close').then(([status]) => ({
      status: status as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** Everything that is read from stdin, and its end. */
  feed(text = ''): this {
    this.child.stdin?.end(text);
    return this;
  }

  /** Waits until it has printed this. */
  async printed(text: string): Promise<void> {
    const seen = (): string => this.stdout + this.stderr;
    await until(() => seen().includes(text) || this.child.exitCode !== null, `prints ${text}`);
    if (!seen().includes(text)) throw new Error(`it ended without printing ${text}:\n${seen()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(-this.child.pid!, 'SIGKILL');
    } catch {
      // Nothing is left.
    }
    await this.ended;
  }
}

/** Runs it to its end, with an empty stdin. */
export function conclave(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Ended> {
  return new ConclaveProgram(args, env).feed().ended;
}

/** Awaits a condition, not a time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 15_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(20);
  }
}
