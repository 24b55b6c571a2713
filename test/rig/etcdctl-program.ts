import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** An `etcdctl` that goes on until it is told to stop: `lock`, `elect`. */
export class EtcdctlProgram implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #onExit = (): void => void this.#process.kill('SIGKILL');
  #output = '';

  constructor(endpoints: readonly string[], ...args: readonly string[]) {
    this.#process = spawn('etcdctl', [`--endpoints=${endpoints.join(',')}`, ...args], {
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

  /** What it has printed: see the subclasses. */
  get output(): string {
    return this.#output;
  }

  /** Resolves with its exit status. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Resolves with its lines when it has printed that many. */
  async lines(count: number, timeoutMs = 30_000): Promise<readonly string[]> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const lines = this.#output.split('\n').slice(0, -1);
      if (lines.length >= count) return lines;
      await once(this.#process.stdout!, 'data', { signal });
    }
  }

  /** As Ctrl-C does: it gives back and ends. */
  async interrupt(): Promise<void> {
    this.#process.kill('SIGINT');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

/** `etcdctl lock PATH [COMMAND...]`. Prints the key of its ticket once it holds the lock, or what its command prints. */
export class EtcdctlLock extends EtcdctlProgram {
  /** @param ttl of its session, seconds */
  constructor(endpoints: readonly string[], ttl: number, path: string, ...command: readonly string[]) {
    super(endpoints, 'lock', `--ttl=${ttl}`, '--', path, ...command);
  }

  /** Resolves with its key. */
  async holds(): Promise<string> {
    const [key = ''] = await this.lines(1);
    return key;
  }
}

/** `etcdctl elect PATH VALUE`. Prints the key of its ticket, and its value, once it leads. */
export class EtcdctlCandidate extends EtcdctlProgram {
  constructor(endpoints: readonly string[], path: string, value: string) {
    super(endpoints, 'elect', path, value);
  }

  /** Resolves with key and value. */
  async leads(): Promise<readonly string[]> {
    return this.lines(2);
  }
}

/** `etcdctl elect --listen PATH`. Prints key and value of each leader. */
export class EtcdctlOnlooker extends EtcdctlProgram {
  constructor(endpoints: readonly string[], path: string) {
    super(endpoints, 'elect', '--listen', path);
  }
}
