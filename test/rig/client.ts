import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

/** What a command of a client process was rejected with. */
export class ClientError extends Error {
  readonly code: string | undefined;
  readonly reason: string | undefined;

  constructor({ code, reason, message }: { code?: string; reason?: string; message: string }) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

/** A line a client process says by itself. Numbers of 64 bits come as text. */
export interface News {
  readonly event: string;
  readonly [field: string]: unknown;
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: ConstructorParameters<typeof ClientError>[0];
}

/**
 * Programs that use the built package: one client, which does what it is told; several in one process, which take and
 * give back over and over; or a member of a group.
 */
export type Program = 'client-process.js' | 'worker-process.js' | 'member-process.js';

/** A program that uses the built package, in a process of its own, to be killed and stopped. See process-protocol.js. */
export class Client implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #guard: ChildProcess;
  readonly #ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #told = new EventEmitter();
  readonly #onExit = (): void => void this.#process.kill('SIGKILL');
  #lastId = 0;
  #errors = '';
  /** Everything it has said so far. */
  readonly news: News[] = [];

  private constructor(program: Program) {
    this.#process = spawn(process.execPath, [join(import.meta.dirname, program)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // Kills it, stopped or not, when this process is gone.
    this.#guard = spawn('sh', ['-c', 'read -r line; kill -9 "$0" 2>/dev/null', String(this.#process.pid)], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    process.once('exit', this.#onExit);
    this.#process.stdin?.on('error', () => {}); // it has been killed
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    createInterface({ input: this.#process.stdout! }).on('line', (line) => this.#hear(line));
    this.#ended = once(this.#process, 'close').then(([code, signal]) => {
      process.off('exit', this.#onExit);
      this.#guard.kill('SIGKILL');
      const error = new Error(`the client process has ended (${String(signal ?? code)})\n${this.#errors}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#told.emit('news');
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  /** @param options for `connect`; whatever JSON can carry */
  static async connect(options: object): Promise<Client> {
    return Client.start('client-process.js', { options });
  }

  /** @param args of its command `connect` */
  static async start(program: Program, args: object): Promise<Client> {
    const client = new Client(program);
    try {
      await client.call('connect', args);
      return client;
    } catch (error) {
      await client.kill();
      throw error;
    }
  }

  /** How it ended: resolves then. */
  get ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#ended;
  }

  /** What it wrote to stderr. */
  get errors(): string {
    return this.#errors;
  }

  call<T = unknown>(command: string, args: object = {}): Promise<T> {
    const id = ++this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    answer.catch(() => {}); // a test may kill the process and never ask
    this.#process.stdin?.write(JSON.stringify({ id, command, ...args }) + '\n');
    return answer as Promise<T>;
  }

  acquire(
    place: string | { path: string },
    timeoutMs?: number,
  ): Promise<{ key: string; fencingToken: string }> {
    return this.call('acquire', { place, timeoutMs });
  }

  /** Resolves with the first line of this kind, said already or yet to be said. */
  async told(event: string, timeoutMs = 60_000): Promise<News> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = this.news.find((each) => each.event === event);
      if (found) return found;
      await once(this.#told, 'news', { signal });
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Resolves when the process has really been stopped. */
  async stopped(timeoutMs = 20_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (stateOf(this.#process.pid!) !== 'T') {
      if (performance.now() > end) throw new Error('the client process does not stop');
      await delay(5);
    }
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #hear(line: string): void {
    const { id, result, error, ...news } = JSON.parse(line) as Answer & News;
    if (id === undefined) {
      this.news.push(news);
      this.#told.emit('news');
      return;
    }
    const answer = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) answer?.reject(new ClientError(error));
    else answer?.resolve(result);
  }
}

/** One letter, as in `ps`: T is stopped. */
function stateOf(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0];
}
