import { setMaxListeners } from 'node:events';
import { ClosedError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import { checkOptions, raceSignal, Wait, type WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import type { Line, LineState } from '../session/line.js';
import { lineHistory } from '../session/line-history.js';
import type { KeyValue } from '../store/results.js';
import { Broadcast } from './broadcast.js';
import { checkReadOptions, type ReadOptions } from './options.js';

/** How long after a failure (a permission that is missing, for example) it is tried again. */
const pauseMs = 5_000;

export interface Follower {
  /** What has to be known before. It is not followed if this rejects. */
  readonly prepare?: () => Promise<unknown>;
  /** Takes what is stored, state after state. Must not reject. */
  readonly take: (state: LineState) => Promise<void>;
  /** It cannot be read at the moment. Goes on by itself. */
  readonly fail: (error: unknown) => void;
  /** It is over. */
  readonly end: (reason: unknown) => void;
}

/** What is stored, followed by one watch from the first `ready` or `read` until `close`. */
export class Following {
  /** Aborts with `ClosedError` when it is over. */
  readonly signal: AbortSignal;
  readonly #connection: Connection;
  readonly #line: Line;
  readonly #follower: Follower;
  /** Each state, once it has been taken. */
  readonly #states = new Broadcast<LineState>(1);
  readonly #over = new AbortController();
  #running: Promise<void> | undefined;
  #seen: LineState | undefined;
  #isFirst = true;
  #confirmedAt = -Infinity;

  /** No I/O. */
  constructor(connection: Connection, line: Line, follower: Follower) {
    this.#connection = connection;
    this.#line = line;
    this.#follower = follower;
    this.signal = this.#over.signal;
    setMaxListeners(0, this.signal); // whoever waits listens: many are no leak
  }

  /** What was taken last. */
  get seen(): LineState | undefined {
    return this.#seen;
  }

  /** Milliseconds since what was taken was the latest, at most; Infinity if nothing was taken. */
  get staleMs(): number {
    return this.#connection.runtime.now() - this.#confirmedAt;
  }

  /**
   * Begins, and resolves once a state has been taken.
   *
   * @throws what `prepare` throws, why it cannot be read, WaitTimeoutError, the signal's reason, ClosedError; TypeError, RangeError
   */
  async ready(options: WaitOptions): Promise<void> {
    const { runtime, store } = this.#connection;
    checkOptions(options, ['timeoutMs', 'signal'], `${this.#line.title}: ready`);
    // One attempt still has the time that the store may take to answer.
    const patient = options.timeoutMs === 0 ? { ...options, timeoutMs: store.timeoutMs } : options;
    const wait = Wait.start(runtime, patient, `${this.#line.title}: ready`);
    try {
      await wait.race(this.#begin());
      const states = this.#states.read(wait.signal);
      await states.next();
      await states.return();
    } finally {
      wait.end();
    }
  }

  /** Begins, and reads what is told there. @param verb for messages @throws as `ready` */
  async *read<T>(
    broadcast: Broadcast<T>,
    options: ReadOptions,
    verb: string,
  ): AsyncGenerator<T, void, undefined> {
    const signal = checkReadOptions(options, `${this.#line.title}: ${verb}`);
    const begun = this.#begin();
    await (signal ? raceSignal(begun, signal) : begun);
    yield* broadcast.read(signal);
  }

  /** Resolves once what was written at this revision has been taken; or cannot be for a while. Never rejects. */
  async until(revision: bigint): Promise<void> {
    if (!this.#running || this.signal.aborted) return;
    const { runtime, store } = this.#connection;
    const wait = Wait.start(runtime, { timeoutMs: store.timeoutMs }, this.#line.title);
    try {
      for await (const state of this.#states.read(wait.signal)) if (state.revision >= revision) return;
    } catch {
      // It is written, whether it is seen here or not.
    } finally {
      wait.end();
    }
  }

  /** Idempotent; never rejects. */
  async close(): Promise<void> {
    this.#end(new ClosedError(`${this.#line.title} has been closed`));
    await this.#running;
  }

  async #begin(): Promise<void> {
    const { closing } = this.#connection;
    const prepared = this.#follower.prepare?.(); // a schema may never answer
    if (prepared) await raceSignal(raceSignal(prepared, this.signal), closing);
    closing.throwIfAborted();
    this.signal.throwIfAborted();
    this.#running ??= this.#connection.track(this.#run());
  }

  async #run(): Promise<void> {
    const { closing, runtime } = this.#connection;
    const onClosing = (): void => this.#end(closing.reason);
    closing.addEventListener('abort', onClosing, { once: true });
    while (!this.#isOver()) {
      try {
        await this.#follow();
      } catch (error) {
        if (this.#isOver()) break;
        this.#follower.fail(error);
        this.#states.fail(error);
      }
      await sleep(runtime, pauseMs, { background: true, signal: this.signal }).catch(() => {});
    }
    closing.removeEventListener('abort', onClosing);
  }

  async #follow(): Promise<void> {
    const onLook = (now: LineState, askedAt: number): void => {
      if (this.#shows(now)) this.#confirmedAt = askedAt;
    };
    const beganAt = this.#connection.runtime.now();
    this.#isFirst = true;
    for await (const state of lineHistory(this.#connection, this.#line, { signal: this.signal, onLook })) {
      // After a failure, an answer from the store's past.
      if (this.#seen && state.revision < this.#seen.revision) continue;
      await raceSignal(this.#follower.take(state), this.signal); // a schema may never answer
      this.#seen = state;
      if (this.#isFirst) this.#confirmedAt = beganAt;
      this.#isFirst = false;
      this.#states.send(state);
    }
  }

  /** Whether what was taken is what is stored now. */
  #shows(now: LineState): boolean {
    const seen = this.#seen;
    if (!seen) return false;
    const keys = keysOf(now);
    return (
      keys.length === keysOf(seen).length && keys.every(({ modRevision }) => modRevision <= seen.revision)
    );
  }

  #isOver(): boolean {
    return this.signal.aborted;
  }

  #end(reason: unknown): void {
    if (this.#isOver()) return;
    this.#over.abort(reason);
    this.#states.end(reason);
    this.#follower.end(reason);
  }
}

/** All that is stored of it. */
export function keysOf({ tickets, settings }: LineState): readonly KeyValue[] {
  return [...tickets, ...settings];
}
