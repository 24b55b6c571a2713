import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const guardScript = 'read -r line; kill -9 "$0"; rm -rf "$1"; rmdir "$(dirname "$1")"';

const lastWords = /^panic:|^fatal error:|"level":"(panic|fatal)"/;

/**
 * One `etcd` process. A small shell holds a pipe to this process; when that breaks it kills etcd and removes its data, so
 * nothing outlives a test run that crashes or is killed.
 */
export class Member {
  #program: string;
  /** Where it keeps its data. */
  readonly directory: string;
  readonly #args: readonly string[];
  readonly #enter: readonly string[];
  #process: ChildProcess | undefined;
  #guard: ChildProcess | undefined;
  #log = '';
  readonly #lastWords: string[] = [];

  /** @param enter what a command begins with to be run where the member lives; it must become the command's process */
  constructor(program: string, directory: string, args: readonly string[], enter: readonly string[] = []) {
    this.#program = program;
    this.directory = directory;
    this.#enter = enter;
    this.#args = [`--data-dir=${directory}`, ...args];
  }

  /** The last output: the first thing to look at when a member does not come up. */
  get log(): string {
    return this.#log;
  }

  /** Lines in which it said that it ends because it cannot go on: nobody who is killed has time for one. */
  get lastWords(): readonly string[] {
    return this.#lastWords;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** Of etcd itself; nothing while it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** @param flags of this start alone */
  start(flags: readonly string[] = []): void {
    if (this.#process) throw new Error('this member is running');
    const [program = this.#program, ...args] = [...this.#enter, this.#program, ...this.#args, ...flags];
    const etcd = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = etcd;
    etcd.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-4_000);
      this.#lastWords.push(...text.split('\n').filter((line) => lastWords.test(line)));
    });
    etcd.once('error', (error) => {
      this.#log += String(error);
      this.#forget(etcd);
    });
    etcd.once('exit', () => this.#forget(etcd));
    this.#guard = spawn('sh', ['-c', guardScript, String(etcd.pid), this.directory], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#guard.unref();
  }

  /** Another program on the same data and ports, from the next start on. */
  replaceProgram(program: string): void {
    this.#program = program;
  }

  /** Sends a signal; false if the member does not run. */
  signal(name: NodeJS.Signals): boolean {
    return this.#process?.kill(name) ?? false;
  }

  /** SIGKILL also ends a stopped process. Resolves when the process is gone. */
  async kill(): Promise<void> {
    const etcd = this.#process;
    if (etcd?.pid === undefined) return;
    const gone = once(etcd, 'exit');
    etcd.kill('SIGKILL');
    await gone;
  }

  /** For the end of the process, when nothing can be awaited. */
  killNow(): void {
    this.#process?.kill('SIGKILL');
  }

  #forget(etcd: ChildProcess): void {
    if (this.#process !== etcd) return;
    this.#process = undefined;
    // Before the pid can be used again: the guard must not kill a stranger.
    this.#guard?.kill('SIGKILL');
    this.#guard = undefined;
  }
}
