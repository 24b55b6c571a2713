import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { Guard } from './guard.js';

export interface LaunchOptions {
  /** @default nothing to its input, its output to ours */
  readonly stdio?: StdioOptions;
  /** Added to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A Node program in a process of its own, which ends at the latest with this one. */
export class Launched implements AsyncDisposable {
  /** For its pipes and messages. */
  readonly process: ChildProcess;
  readonly pid: number;
  /** Resolves when it has ended and its pipes are empty. */
  readonly ended: Promise<Ending>;
  readonly #guard: Guard;
  #isRunning = true;

  private constructor(child: ChildProcess, pid: number) {
    this.process = child;
    this.pid = pid;
    this.#guard = new Guard('kill -9 "$1"', [String(pid)]);
    child.once('exit', () => {
      this.#isRunning = false;
      this.#guard[Symbol.dispose]();
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** @param enter what a command begins with to be run where the program is to live */
  static async start(
    enter: readonly string[],
    program: string,
    args: readonly string[],
    options: LaunchOptions = {},
  ): Promise<Launched> {
    const { stdio = ['ignore', 'inherit', 'inherit'], env } = options;
    const [first = process.execPath, ...rest] = [...enter, process.execPath, program, ...args];
    const child = spawn(first, rest, { stdio, env: { ...process.env, ...env } });
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    if (child.pid === undefined) throw new Error('a process without an id');
    return new Launched(child, child.pid);
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** SIGSTOP. Resolves when it stands still, or has ended. */
  async stop(): Promise<void> {
    this.signal('SIGSTOP');
    while (this.#isRunning && !isStopped(this.pid)) await delay(5);
  }

  /** SIGCONT: undoes `stop`. */
  cont(): void {
    this.signal('SIGCONT');
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

function isStopped(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('T') ?? true;
  } catch {
    return true; // it has just ended
  }
}
