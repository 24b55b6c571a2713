import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const source = resolve(import.meta.dirname, '../interop/go');

/** The program of test/interop/go, which uses etcd's own Go client, built into a directory of its own. */
export class GoBuild implements AsyncDisposable {
  /** Why it could not be built on this machine: a reason to skip. */
  readonly lacks: string | undefined;
  readonly #directory: string;

  private constructor(directory: string, lacks: string | undefined) {
    this.#directory = directory;
    this.lacks = lacks;
  }

  /** Takes a minute where nothing is cached. @throws if the program is wrong */
  static async make(): Promise<GoBuild> {
    const directory = await mkdtemp(join(tmpdir(), 'conclave-go-'));
    const go = (...args: string[]): Promise<unknown> => run('go', args, { cwd: source });
    const has = async (what: string, attempt: Promise<unknown>): Promise<string | undefined> =>
      attempt.then(
        () => undefined,
        () => `needs Go${what}`,
      );
    const lacks =
      (await has('', go('version'))) ?? (await has(' and its module proxy', go('mod', 'download')));
    const build = new GoBuild(directory, lacks);
    if (lacks !== undefined) return build;
    try {
      await go('build', '-mod=readonly', '-o', build.#program, '.');
      return build;
    } catch (error) {
      await build[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs it, with a session of this TTL. */
  start(endpoints: readonly string[], ttlSeconds: number, ...command: readonly string[]): GoProgram {
    return new GoProgram(this.#program, [endpoints.join(','), String(ttlSeconds), ...command]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #program(): string {
    return join(this.#directory, 'interop');
  }
}

/** A ticket as the program tells it. */
export interface GoHold {
  readonly key: string;
  readonly fencingToken: bigint;
}

/** The program, running; see test/interop/go/main.go for what it says. */
export class GoProgram implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #onExit = (): void => void this.#process.kill('SIGKILL');
  #isOver = false;
  /** Every line that it has said. */
  readonly said: string[] = [];

  constructor(program: string, args: readonly string[]) {
    this.#process = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    process.once('exit', this.#onExit);
    this.#process.stdin?.on('error', () => {}); // it has been killed
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      this.said.push(line);
      this.#process.emit('said');
    });
    this.#ended = once(this.#process, 'close').then(() => {
      process.off('exit', this.#onExit);
      this.#isOver = true;
      this.#process.emit('said');
    });
  }

  /** Resolves with its lines once there are that many. */
  async lines(count: number, timeoutMs = 30_000): Promise<readonly string[]> {
    const signal = AbortSignal.timeout(timeoutMs);
    while (this.said.length < count) {
      if (this.#isOver) throw new Error(`the Go program has ended; it said ${JSON.stringify(this.said)}`);
      await once(this.#process, 'said', { signal });
    }
    return this.said;
  }

  /** Resolves when it holds the lock, or leads. */
  async holds(): Promise<GoHold> {
    const [line = ''] = await this.lines(1);
    const [, key, revision] = /^held (.+) (\d+)$/.exec(line) ?? [];
    if (key === undefined || revision === undefined) throw new Error(`no hold: ${line}`);
    return { key, fencingToken: BigInt(revision) };
  }

  /** Gives a command, and resolves with the answer. */
  async ask(command: string): Promise<string> {
    const before = this.said.length;
    this.#process.stdin?.write(`${command}\n`);
    return (await this.lines(before + 1))[before]!;
  }

  /** SIGKILL: its lease stays until it ends. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
