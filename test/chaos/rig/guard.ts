import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Cleans up when this process is gone, however it went: a small shell holds a pipe to it, and runs a script when that
 * breaks. Signals of a terminal do not reach it.
 */
export class Guard implements Disposable {
  readonly #shell: ChildProcess;

  /** @param args `$1` and so on of the script */
  constructor(script: string, args: readonly string[] = []) {
    this.#shell = spawn('sh', ['-c', `read -r line; ${script}`, 'sh', ...args], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#shell.on('error', () => {}); // no shell, no guard: nothing else depends on it
    this.#shell.unref();
  }

  /** There is nothing left to clean up. Call it before a pid in the script can be used again. */
  [Symbol.dispose](): void {
    this.#shell.kill('SIGKILL');
  }
}
