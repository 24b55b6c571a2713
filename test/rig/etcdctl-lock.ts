import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** `etcdctl lock PATH [COMMAND...]`, running. */
export class EtcdctlLock implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #onExit = (): void => void this.#process.kill('SIGKILL');
  #output = '';

  /** @param ttl of its session, seconds */
  constructor(endpoints: readonly string[], ttl: number, path: string, ...command: readonly string[]) {
    const args = ['lock', `--endpoints=${endpoints.join(',')}`, `--ttl=${ttl}`, '--', path, ...command];
    this.#process = spawn('etcdctl', args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    process.once('exit', this.#onExit);
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#ended = once(this.#process, 'close').then(([code]) => {
      process.off('exit', this.#onExit);
      return code as number | null;
    });
  }

  /** What it has printed: the key of its ticket once it holds the lock (or what its command printed). */
  get output(): string {
    return this.#output;
  }

  /** Resolves with its exit status. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Resolves when it has printed a line. */
  async holds(timeoutMs = 30_000): Promise<string> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (!this.#output.includes('\n')) await once(this.#process.stdout!, 'data', { signal });
    return this.#output.trim();
  }

  /** As Ctrl-C does: it unlocks and ends. */
  async interrupt(): Promise<void> {
    this.#process.kill('SIGINT');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}
