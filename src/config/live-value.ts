import { report } from '../base/diagnostics.js';
import { type InvalidValueError, NotFoundError } from '../base/errors.js';
import { configKey, type Place, placeText } from '../base/keys.js';
import type { WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { Line, type LineState } from '../session/line.js';
import type { KeyValue } from '../store/results.js';
import { Broadcast } from './broadcast.js';
import { Codec, type Good, isSame } from './codec.js';
import { Fallback } from './fallback.js';
import { Following } from './following.js';
import { checkConfigOptions, type ConfigOptions, type ReadOptions } from './options.js';
import { type SetOptions, Writing } from './writing.js';

/** Why what is stored does not count: it cannot be used, or it is gone and there is no fallback. */
export type ConfigProblem = InvalidValueError | NotFoundError;

/** How many changes may wait for one reader. */
const mostWaiting = 64;

/**
 * A value of configuration, kept up to date from one key by one watch, for all who use this object.
 *
 * Guarantees:
 * - `current` is the last good value: what is stored and cannot be used (no JSON, or refused by the schema) is reported, and
 *   changes nothing. A key that is deleted gives the fallback; without one that is reported, too, and the last good value stays.
 * - Once `ready` has resolved, `current` never throws. While the store is away it stays as it is; `staleMs` tells for how long.
 * - Values are told in their order, none twice, the latest always. After a compaction, and to a reader that is more than 64
 *   behind, some may be left out.
 * - `set` never overwrites a change that this object has not seen, unless it is told to; `set` and `update` write once or
 *   not at all, also if answers are lost.
 *
 * Not guaranteed: that all processes change over at the same time. Each hears of a change when its watch tells.
 *
 * What is stored is plain JSON, so any program may write it. Values are frozen: all share them. Nothing is sent before
 * `ready`, or the first step of `changes` or `errors`; then it is followed until it is disposed of, or the Conclave closed.
 */
export class LiveValue<Value, Input = Value> implements AsyncDisposable {
  /** Where it is stored. */
  readonly key: string;
  readonly #title: string;
  readonly #codec: Codec<Value>;
  readonly #fallback: Fallback<Value>;
  readonly #following: Following;
  readonly #writing: Writing;
  readonly #changes = new Broadcast<Good<Value>>(mostWaiting);
  readonly #problems = new Broadcast<ConfigProblem>(mostWaiting);
  #good: Good<Value> | undefined;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name, path or option */
  constructor(connection: Connection, place: Place, options: ConfigOptions = {}) {
    this.#title = `config ${placeText(place)}`;
    this.key = configKey(connection.namespace, place);
    checkConfigOptions(options, ['schema', 'fallback'], this.#title);
    this.#codec = new Codec(options.schema, this.#title);
    this.#fallback = new Fallback(this.#codec, options.fallback);
    const line = new Line({ prefix: this.key, isOneKey: true, title: this.#title });
    this.#following = new Following(connection, line, {
      prepare: () => this.#fallback.settled(),
      take: (state) => this.#take(state),
      fail: (error) => this.#fail(error),
      end: (reason) => [this.#changes, this.#problems].forEach((each) => each.end(reason)),
    });
    this.#writing = new Writing(connection, this.#following, this.#title);
  }

  /**
   * The last good value; the fallback as long as there is none. No I/O. The same object until another value counts.
   *
   * @throws NotFoundError if there is none: before `ready`, without a fallback; InvalidValueError if the schema refuses
   * the fallback
   */
  get current(): Value {
    const good = this.#good ?? this.#fallback.now;
    if (good) return good.value;
    throw new NotFoundError(`${this.#title} has no value, and no fallback: await ready() before using it`);
  }

  /** At which `current` was stored; 0n for the fallback. */
  get revision(): bigint {
    return this.#good?.revision ?? 0n;
  }

  /**
   * Milliseconds since `current` was surely the latest; Infinity before `ready`. Below half a minute as long as the store
   * answers: it is asked every 15 s whether the watch has told everything.
   */
  get staleMs(): number {
    return this.#following.staleMs;
  }

  /**
   * Resolves once it is known what is stored; from then on it is kept up to date. One read and one watch, however often it
   * is called. Goes on while the store is away.
   *
   * @throws NotFoundError if nothing is stored, InvalidValueError if what is stored cannot be used, and there is no fallback:
   * following goes on, so it may be called again; InvalidValueError if the schema refuses the fallback
   * @throws WaitTimeoutError, the signal's reason, ClosedError, AuthError; TypeError, RangeError for bad options
   */
  async ready(options: WaitOptions = {}): Promise<void> {
    await this.#following.ready(options);
    const [problem] = this.#problems.present;
    if (!this.#good && problem) throw problem;
  }

  /**
   * The present value, as soon as there is one, and each other one that counts later. A value that is stored again unchanged
   * is no change.
   *
   * @throws the signal's reason; AuthError if it may not be read (any more): the value stays, it is tried again every 5 s, and
   * another call goes on from there; ClosedError
   */
  async *changes(options: ReadOptions = {}): AsyncGenerator<Value, void, undefined> {
    let last: Good<Value> | undefined;
    for await (const good of this.#following.read(this.#changes, options, 'changes')) {
      // Some between them may have been left out.
      if (!last || !isSame(last, good)) yield good.value;
      last = good;
    }
  }

  /**
   * What is wrong with what is stored now, if anything is, and with each later one: no JSON, or refused by the schema
   * (`InvalidValueError`, which says where and what); or that it is gone, and there is no fallback (`NotFoundError`). Also told
   * by the diagnostics channel `conclave:config-failed`.
   *
   * @throws as `changes`
   */
  errors(options: ReadOptions = {}): AsyncGenerator<ConfigProblem, void, undefined> {
    return this.#following.read(this.#problems, options, 'errors');
  }

  /**
   * Stores a value, in the place of the one that this object has seen last, good or bad, or has stored itself. If it has not
   * looked yet (see `ready`), only where nothing is stored. Resolves when it is there for good, and if this object follows
   * it, `current`.
   *
   * @returns its revision
   * @throws ConflictError if something else is stored: nothing was done; InvalidValueError, TypeError, RangeError before
   * any I/O; UnavailableError, AuthError, ResourceExhaustedError: nothing was done; OutcomeUnknownError if it was lost sight of
   */
  async set(value: Input, options: SetOptions = {}): Promise<bigint> {
    return this.#writing.put(this.key, () => this.#codec.encode(value), options);
  }

  /**
   * Changes what is stored by what `change` makes of it; again, if somebody else was faster. Reads first, so it need not be
   * followed. `change` gets the fallback if nothing is stored; it may be called several times.
   *
   * @returns the revision of the new value
   * @throws what `change` throws; InvalidValueError if what is stored, or what `change` gives, cannot be used; NotFoundError if
   * nothing is stored, and there is no fallback; WaitTimeoutError, the signal's reason; otherwise as `set`
   */
  async update(change: (value: Value) => Input | Promise<Input>, options: WaitOptions = {}): Promise<bigint> {
    return this.#writing.update(this.key, options, async (kv) => {
      const good = kv ? await this.#codec.read(kv) : await this.#fallback.settled();
      if (!good) throw this.#nothing();
      return this.#codec.encode(await change(good.value));
    });
  }

  /**
   * Deletes what is stored, under the same conditions as `set`: then the fallback counts, and without one the last good value
   * stays, in the processes that know it. What is gone already is no conflict.
   *
   * @throws as `set`
   */
  async clear(options: SetOptions = {}): Promise<void> {
    await this.#writing.remove(this.key, options);
  }

  /** Ends the watch, and all who read, with ClosedError. `current` stays as it is. Idempotent; never rejects. */
  async close(): Promise<void> {
    await this.#following.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What is stored, state after state. */
  async #take({ settings: [kv], revision }: LineState): Promise<void> {
    const { seen } = this.#following;
    const before = seen?.settings[0];
    // Read again, after a compaction for example.
    if (seen && before?.modRevision === kv?.modRevision) return;
    const found = await this.#look(kv, revision);
    if (this.#following.signal.aborted) return; // closed while the schema was thinking
    if (found instanceof Error) this.#refuse(found);
    else this.#adopt(found, []);
  }

  async #look(kv: KeyValue | undefined, revision: bigint): Promise<Good<Value> | ConfigProblem> {
    if (!kv) return (await this.#fallback.settled()) ?? this.#nothing(revision);
    try {
      return await this.#codec.read(kv);
    } catch (error) {
      return error as InvalidValueError;
    }
  }

  #refuse(problem: ConfigProblem): void {
    report('conclave:config-failed', () => ({ key: this.key, error: problem }));
    this.#problems.send(problem);
    // Nothing good was ever stored, as far as is known here.
    const fallback = this.#good ? undefined : this.#fallback.now;
    if (fallback) this.#adopt(fallback, [problem]);
  }

  #adopt(good: Good<Value>, problems: readonly ConfigProblem[]): void {
    this.#problems.present = problems;
    const last = this.#good;
    if (last && isSame(last, good)) {
      this.#good = { ...last, revision: good.revision };
      return;
    }
    this.#good = good;
    this.#changes.send(good);
    report('conclave:config-changed', () => ({ key: this.key, revision: good.revision }));
  }

  #fail(error: unknown): void {
    report('conclave:config-failed', () => ({ key: this.key, error }));
    this.#changes.fail(error);
    this.#problems.fail(error);
  }

  #nothing(revision?: bigint): NotFoundError {
    const when = revision === undefined ? '' : ` at revision ${revision}`;
    return new NotFoundError(
      `${this.#title}: nothing is stored at ${this.key}${when}, and there is no fallback`,
    );
  }
}
