import { toText } from '../base/bytes.js';
import { ConflictError } from '../base/errors.js';
import { checkOptions, Wait, type WaitOptions } from '../base/wait.js';
import { atOnce } from '../session/at-once.js';
import type { Connection } from '../session/connection.js';
import { onceInAnySession } from '../session/once.js';
import { compare, type Compare, get, type Op, put, remove } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { retry } from '../store/retry.js';
import { type Following, keysOf } from './following.js';

/** What may be overwritten. By default only what this object has seen last, so that nobody's change is lost unnoticed. */
export interface SetOptions {
  /** Only the value of this revision; 0n: only if there is none. */
  readonly ifRevision?: bigint;
  /** Whatever is there. @default false */
  readonly force?: boolean;
}

/** Writes configuration: each write once, or not at all, and never over a change that was not meant. */
export class Writing {
  readonly #connection: Connection;
  readonly #following: Following;
  readonly #title: string;
  /** Keys as this object has left them, unless they have been seen since. */
  readonly #own = new Map<string, { readonly revision: bigint; readonly modRevision: bigint }>();

  constructor(connection: Connection, following: Following, title: string) {
    this.#connection = connection;
    this.#following = following;
    this.#title = title;
  }

  /**
   * What may be overwritten is settled by the call: what is seen while `encode` takes its time, the caller has not seen.
   *
   * @returns the revision @throws ConflictError and others, see `LiveValue.set`; what `encode` throws
   */
  async put(key: string, encode: () => Promise<string>, options: SetOptions): Promise<bigint> {
    const expected = this.#expected(key, options, 'set');
    const text = await encode();
    const guard = expected === undefined ? [] : [compare.modRevision(key, '=', expected)];
    const { isDone, revision, found } = await this.#once(key, guard, put(key, text), 'set');
    if (!isDone) throw this.#conflict(key, found, options);
    return this.#wrote(key, revision, revision);
  }

  /** What is gone already is no conflict. @throws as `put` */
  async remove(key: string, options: SetOptions): Promise<void> {
    const expected = this.#expected(key, options, 'delete');
    const isMeant = compare.modRevision(key, expected === undefined ? '!=' : '=', expected ?? 0n);
    const { isDone, revision, found } = await this.#once(key, [isMeant], remove(key), 'delete');
    if (found && expected !== undefined) throw this.#conflict(key, found, options);
    if (isDone && expected !== 0n) await this.#wrote(key, revision, 0n);
  }

  /**
   * Reads, lets `next` make something of it, and puts that in its place, again and again until nobody has come between.
   *
   * @throws what `next` throws; as `put`, but no ConflictError
   */
  async update(
    key: string,
    options: WaitOptions,
    next: (kv: KeyValue | undefined) => Promise<string>,
  ): Promise<bigint> {
    const { runtime, closing } = this.#connection;
    const what = `${this.#title}: update`;
    const wait = Wait.start(runtime, options, what);
    wait.endsWith(closing);
    const attempt = async (): Promise<bigint> => {
      const kv = await this.#read(key, wait.signal);
      const text = await wait.race(next(kv));
      const guard = [compare.modRevision(key, '=', kv?.modRevision ?? 0n)];
      const { isDone, revision } = await this.#once(key, guard, put(key, text), 'update', wait.signal);
      if (!isDone) throw overtaken;
      return revision;
    };
    const again = (error: unknown): boolean => {
      if (error !== overtaken) return false;
      if (wait.immediate) throw wait.timeout();
      return true;
    };
    try {
      const revision = await retry(runtime, attempt, { signal: wait.signal, again, maxDelayMs: 200 });
      return await this.#wrote(key, revision, revision);
    } finally {
      wait.end();
    }
  }

  async #read(key: string, signal: AbortSignal): Promise<KeyValue | undefined> {
    const { store } = this.#connection;
    return atOnce(this.#connection, `${this.#title}: update`, async (wait) => {
      wait.endsWith(signal);
      const { kvs } = await store.get(key, { signal: wait.signal });
      return kvs[0];
    });
  }

  async #once(
    key: string,
    guard: readonly Compare[],
    op: Op,
    verb: string,
    signal?: AbortSignal,
  ): Promise<{ isDone: boolean; revision: bigint; found: KeyValue | undefined }> {
    return atOnce(this.#connection, `${this.#title}: ${verb}`, async (wait) => {
      if (signal) wait.endsWith(signal);
      const parts = { if: guard, then: [op], else: [get(key)] };
      const { isDone, revision, responses } = await onceInAnySession(this.#connection, parts, wait.signal);
      const [read] = isDone ? [] : responses;
      return { isDone, revision, found: read?.kind === 'get' ? read.kvs[0] : undefined };
    });
  }

  /** The mod revision that the key must have; undefined: any. @throws TypeError */
  #expected(key: string, options: SetOptions, verb: string): bigint | undefined {
    const what = `${this.#title}: ${verb}`;
    checkOptions(options, ['ifRevision', 'force'], what);
    const { ifRevision, force = false } = options;
    if (typeof force !== 'boolean') throw new TypeError(`${what}: force must be true or false`);
    if (ifRevision !== undefined && typeof ifRevision !== 'bigint')
      throw new TypeError(`${what}: ifRevision must be a bigint, a revision`);
    if (ifRevision !== undefined && force) throw new TypeError(`${what}: either ifRevision or force`);
    return force ? undefined : (ifRevision ?? this.#sightOf(key));
  }

  /** The mod revision of the key as it was last seen or left; 0n if it was not there, or was never seen. */
  #sightOf(key: string): bigint {
    const { seen } = this.#following;
    const own = this.#own.get(key);
    if (own && (!seen || seen.revision < own.revision)) return own.modRevision;
    this.#own.delete(key);
    return (seen && keysOf(seen).find((kv) => toText(kv.key) === key)?.modRevision) ?? 0n;
  }

  /** Resolves once it can be seen here, too. */
  async #wrote(key: string, revision: bigint, modRevision: bigint): Promise<bigint> {
    this.#own.set(key, { revision, modRevision });
    await this.#following.until(revision);
    return revision;
  }

  #conflict(key: string, kv: KeyValue | undefined, { ifRevision }: SetOptions): ConflictError {
    const found = kv
      ? `another value is stored, of revision ${kv.modRevision}`
      : 'nothing is stored any more';
    return new ConflictError(`${this.#title} (${key}): ${found}; ${this.#whyNot(ifRevision)}`);
  }

  #whyNot(ifRevision: bigint | undefined): string {
    if (ifRevision === 0n) return 'none was to be there';
    if (ifRevision !== undefined) return `it was to be that of revision ${ifRevision}`;
    if (this.#following.seen) return 'somebody has changed it';
    return 'it was not looked at before: call ready() first, name ifRevision, or force it';
  }
}

/** Thrown to try again: somebody else was faster. */
const overtaken = new Error('overtaken');
