import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes the disk of an etcd slow: it is held up when it asks for its writes to be kept. It must do that at all: see
 * `RigOptions.fsync`. Needs root and strace. If this process is killed it lasts until etcd ends.
 */
export class SlowDisk implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #output = '';

  private constructor(args: readonly string[]) {
    this.#process = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#ended = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        this.#output += String(error);
        resolve();
      });
      this.#process.once('close', () => resolve());
    });
  }

  /** Every fdatasync takes so much longer. */
  static slow(pid: number, delayMs: number): Promise<SlowDisk> {
    return SlowDisk.#attach(pid, `delay_enter=${delayMs * 1_000}`, []);
  }

  /**
   * The next fdatasync of its log takes so much longer: until then a leader neither writes nor beats, and nothing tells
   * it that there is another. Of each thread, that is, but at the end of the first one all are let go: see `over`.
   *
   * @param directory where etcd keeps its data
   */
  static async stall(pid: number, delayMs: number, directory: string): Promise<SlowDisk> {
    const log = join(directory, 'member/wal');
    const files = readdirSync(log).filter((name) => name.endsWith('.wal'));
    const paths = files.flatMap((name) => ['-P', join(log, name)]);
    const disk = await SlowDisk.#attach(pid, `delay_enter=${delayMs * 1_000}:when=1`, paths);
    disk.#process.stderr?.on('data', () => {
      if (disk.#output.includes('DELAYED')) disk.#process.kill('SIGINT');
    });
    return disk;
  }

  static async #attach(pid: number, fault: string, paths: readonly string[]): Promise<SlowDisk> {
    const call = ['-e', 'trace=fdatasync', '-e', 'signal=none', '-e', `inject=fdatasync:${fault}`];
    const disk = new SlowDisk(['-f', '-p', String(pid), ...call, ...paths]);
    const attached = async (): Promise<void> => {
      while (!disk.#output.includes('attached')) await once(disk.#process.stderr!, 'data');
    };
    const failed = disk.#ended.then(() => {
      throw new Error(`strace does not take the process ${pid}\n${disk.#output}`);
    });
    failed.catch(() => {}); // it ends some day
    await Promise.race([attached(), failed]);
    return disk;
  }

  /** Resolves when a stall has ended by itself, or etcd has. */
  get over(): Promise<void> {
    return this.#ended;
  }

  /** At once: what is held up goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGINT');
    await this.#ended;
  }
}
