import { toText } from '../base/bytes.js';
import { report } from '../base/diagnostics.js';
import type { InvalidValueError } from '../base/errors.js';
import { configKey, type Place, placeText } from '../base/keys.js';
import type { WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { Line, type LineState } from '../session/line.js';
import type { KeyValue } from '../store/results.js';
import { Broadcast } from './broadcast.js';
import { Codec, type Good, isSame } from './codec.js';
import { Following } from './following.js';
import { checkConfigOptions, type ReadOptions, type SettingsOptions } from './options.js';
import { type SetOptions, Writing } from './writing.js';

/** What `LiveSettings.changes` tells. */
export interface SettingsChange<Value> {
  /** All of them, as they were at that revision. */
  readonly settings: ReadonlyMap<string, Value>;
  /** Those that are new, or have another value than this reader was told last. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly revision: bigint;
}

/** All that counts at one revision. */
interface Snapshot<Value> {
  /** By name, in its order. */
  readonly goods: ReadonlyMap<string, Good<Value>>;
  readonly settings: ReadonlyMap<string, Value>;
  readonly revision: bigint;
}

/** What is known of one key. */
interface Entry<Value> {
  readonly modRevision: bigint;
  /** The last that could be used since the key was put. */
  readonly good: Good<Value> | undefined;
  readonly problem: InvalidValueError | undefined;
}

/** How many changes may wait for one reader. */
const mostWaiting = 64;

/**
 * A tree of settings, one key for each, kept up to date by one watch, for all who use this object.
 *
 * Guarantees, besides those of `LiveValue`:
 * - `current` and each change are the settings as they were at one revision: what was written in one transaction is seen
 *   together.
 * - Each setting is checked by itself. One that cannot be used is reported, and its last good value stays, as long as its key
 *   is there; the others change as they do. One whose key is deleted is gone.
 */
export class LiveSettings<Value, Input = Value> implements AsyncDisposable {
  /** Settings are stored below this, by their names as they stand. */
  readonly prefix: string;
  readonly #title: string;
  readonly #codec: Codec<Value>;
  readonly #following: Following;
  readonly #writing: Writing;
  readonly #changes = new Broadcast<Snapshot<Value>>(mostWaiting);
  readonly #problems = new Broadcast<InvalidValueError>(mostWaiting);
  #entries: ReadonlyMap<string, Entry<Value>> = new Map();
  #snapshot: Snapshot<Value> = { goods: new Map(), settings: new Map(), revision: 0n };

  /** @internal No I/O. @throws TypeError, RangeError for a bad name, path or option */
  constructor(connection: Connection, place: Place, options: SettingsOptions = {}) {
    this.#title = `settings ${placeText(place)}`;
    this.prefix = `${configKey(connection.namespace, place)}/`;
    checkConfigOptions(options, ['schema'], this.#title);
    this.#codec = new Codec(options.schema, this.#title);
    this.#following = new Following(connection, new Line({ prefix: this.prefix, title: this.#title }), {
      take: (state) => this.#take(state),
      fail: (error) => this.#fail(error),
      end: (reason) => [this.#changes, this.#problems].forEach((each) => each.end(reason)),
    });
    this.#writing = new Writing(connection, this.#following, this.#title);
  }

  /** By name, in the order of names. Empty before `ready`. The same object until something changes. No I/O. */
  get current(): ReadonlyMap<string, Value> {
    return this.#snapshot.settings;
  }

  /** At which `current` has changed last, as far as it was seen to; 0n before `ready`. */
  get revision(): bigint {
    return this.#snapshot.revision;
  }

  /** As `LiveValue.staleMs`. */
  get staleMs(): number {
    return this.#following.staleMs;
  }

  /**
   * Resolves once it is known what is stored; from then on it is kept up to date. Bad settings do not keep it from that.
   *
   * @throws WaitTimeoutError, the signal's reason, ClosedError, AuthError; TypeError, RangeError for bad options
   */
  async ready(options: WaitOptions = {}): Promise<void> {
    await this.#following.ready(options);
  }

  /** The present settings, and after each revision that has changed some. @throws as `LiveValue.changes` */
  async *changes(options: ReadOptions = {}): AsyncGenerator<SettingsChange<Value>, void, undefined> {
    let last: Snapshot<Value> | undefined;
    for await (const snapshot of this.#following.read(this.#changes, options, 'changes')) {
      const { settings, goods, revision } = snapshot;
      const [before, changed] = [last?.goods, changedBetween(last?.goods, goods)];
      const removed = [...(before?.keys() ?? [])].filter((name) => !goods.has(name));
      // Some between them may have been left out.
      if (!last || changed.length > 0 || removed.length > 0) yield { settings, changed, removed, revision };
      last = snapshot;
    }
  }

  /** Each setting that cannot be used: now, then as they come. @throws as `changes` */
  errors(options: ReadOptions = {}): AsyncGenerator<InvalidValueError, void, undefined> {
    return this.#following.read(this.#problems, options, 'errors');
  }

  /**
   * Stores a setting, in the place of the one of this name that this object has seen last, or has stored itself.
   *
   * @returns its revision
   * @throws as `LiveValue.set`
   */
  async set(name: string, value: Input, options: SetOptions = {}): Promise<bigint> {
    const key = this.#keyOf(name);
    return this.#writing.put(key, () => this.#codec.encode(value), options);
  }

  /**
   * Changes a setting by what `change` makes of it, which is given undefined if there is none.
   *
   * @returns the revision of the new value
   * @throws as `LiveValue.update`
   */
  async update(
    name: string,
    change: (value: Value | undefined) => Input | Promise<Input>,
    options: WaitOptions = {},
  ): Promise<bigint> {
    return this.#writing.update(this.#keyOf(name), options, async (kv) => {
      const good = kv && (await this.#codec.read(kv));
      return this.#codec.encode(await change(good?.value));
    });
  }

  /** Deletes a setting, under the same conditions as `set`. What is gone already is no conflict. @throws as `set` */
  async delete(name: string, options: SetOptions = {}): Promise<void> {
    await this.#writing.remove(this.#keyOf(name), options);
  }

  /** Ends the watch, and all who read, with ClosedError. `current` stays as it is. Idempotent; never rejects. */
  async close(): Promise<void> {
    await this.#following.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #keyOf(name: string): string {
    if (typeof name !== 'string' || name === '')
      throw new TypeError(`${this.#title}: the name of a setting must be a non-empty string`);
    if (!name.isWellFormed()) throw new TypeError(`${this.#title}: name contains a lone surrogate`);
    return this.prefix + name;
  }

  /** What is stored, state after state. */
  async #take({ tickets, revision }: LineState): Promise<void> {
    const entries = await Promise.all(tickets.map((kv) => this.#look(kv)));
    if (this.#following.signal.aborted) return; // closed while the schema was thinking
    this.#entries = new Map(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
    const present = [...this.#entries.values()].flatMap(({ problem }) => problem ?? []);
    this.#problems.present = present;
    for (const problem of present) {
      if (!problem.storedAt || problem.storedAt.revision <= (this.#following.seen?.revision ?? 0n)) continue;
      this.#problems.send(problem, present);
      report('conclave:config-failed', () => ({ key: problem.storedAt?.key ?? this.prefix, error: problem }));
    }
    this.#adopt(revision);
  }

  async #look(kv: KeyValue): Promise<readonly [name: string, Entry<Value>]> {
    const { modRevision } = kv;
    const name = toText(kv.key).slice(this.prefix.length);
    const known = this.#entries.get(name);
    if (known?.modRevision === modRevision) return [name, known];
    // Deleted and put again: the last good one was another's.
    const last = known && known.modRevision >= kv.createRevision ? known.good : undefined;
    try {
      const good = await this.#codec.read(kv);
      // The same object, as long as nothing has changed.
      const value = last && isSame(last, good) ? last.value : good.value;
      return [name, { modRevision, good: { ...good, value }, problem: undefined }];
    } catch (error) {
      return [name, { modRevision, good: last, problem: error as InvalidValueError }];
    }
  }

  #adopt(revision: bigint): void {
    const goods = new Map([...this.#entries].flatMap(([name, { good }]) => (good ? [[name, good]] : [])));
    const last = this.#snapshot.goods;
    const isFirst = this.#changes.present.length === 0;
    const changed = changedBetween(last, goods);
    const removed = [...last.keys()].filter((name) => !goods.has(name));
    if (!isFirst && changed.length === 0 && removed.length === 0) return;
    const settings = new Map([...goods].map(([name, { value }]) => [name, value]));
    this.#snapshot = { goods, settings, revision };
    this.#changes.send(this.#snapshot);
    for (const name of [...changed, ...removed])
      report('conclave:config-changed', () => ({ key: this.prefix + name, revision }));
  }

  #fail(error: unknown): void {
    report('conclave:config-failed', () => ({ key: this.prefix, error }));
    this.#changes.fail(error);
    this.#problems.fail(error);
  }
}

function changedBetween<Value>(
  before: ReadonlyMap<string, Good<Value>> = new Map(),
  now: ReadonlyMap<string, Good<Value>>,
): readonly string[] {
  const changed = [...now].filter(([name, good]) => {
    const last = before.get(name);
    return !last || !isSame(last, good);
  });
  return changed.map(([name]) => name);
}
