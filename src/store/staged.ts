import { type Bytes, toBytes, toText } from '../base/bytes.js';
import { ClosedError } from '../base/errors.js';
import type { Change, KnownKey } from './change.js';
import {
  type KeyRange,
  put,
  type PutOp,
  type RangeLike,
  remove,
  type RemoveOp,
  toRange,
} from './operations.js';
import type { KeyValue } from './results.js';
import type { Snapshot } from './at-one-revision.js';

/** A key and its value, as a transaction sees them. */
export interface Pair {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** How a transaction puts. */
export interface StagedPutOptions {
  /** Attach the key to this lease; 0n detaches it. @default 0n */
  readonly lease?: bigint;
  /** Keep the present lease; the key must exist. @default false */
  readonly ignoreLease?: boolean;
}

/**
 * What the function given to `atomically` reads and writes with. Reads show the store at one revision, that of the first
 * read, and what this transaction itself has written. Writes are sent at the end, all in one.
 */
export interface Transaction {
  /** Aborts when `timeoutMs` or `signal` of `atomically` end it: for whatever else the function waits for. */
  readonly signal: AbortSignal;
  /** The value; undefined if there is no such key. Reads that are asked for at the same time take one round trip. */
  get(key: Bytes): Promise<Uint8Array | undefined>;
  /** `get`, as UTF-8 text. */
  getText(key: Bytes): Promise<string | undefined>;
  /** All keys of a range, in order: `getAll(prefix('accounts/'))`. Keys that others add or remove are a conflict, too. */
  getAll(target: RangeLike): Promise<readonly Pair[]>;
  /** Nothing is sent now. @throws TypeError for bad arguments */
  put(key: Bytes, value: Bytes, options?: StagedPutOptions): void;
  /** One key; nothing happens if it is not there. Nothing is sent now. */
  remove(key: Bytes): void;
}

/** One run of the function: what it has read, and what it wants to write. */
export class Staged implements Transaction {
  readonly signal: AbortSignal;
  readonly #snapshot: Snapshot;
  readonly #known = new Map<string, KnownKey>();
  readonly #ranges: KeyRange[] = [];
  readonly #writes = new Map<string, PutOp | RemoveOp>();
  #isOver = false;

  constructor(snapshot: Snapshot, signal: AbortSignal) {
    this.#snapshot = snapshot;
    this.signal = signal;
  }

  get(key: Bytes): Promise<Uint8Array | undefined> {
    return observed(this.#get(key));
  }

  getText(key: Bytes): Promise<string | undefined> {
    return observed(this.#get(key).then((value) => value && toText(value)));
  }

  getAll(target: RangeLike): Promise<readonly Pair[]> {
    return observed(this.#getAll(target));
  }

  async #get(key: Bytes): Promise<Uint8Array | undefined> {
    this.#assertOpen();
    const { key: bytes } = toRange(toBytes(key, 'key'));
    const name = textOf(bytes);
    const write = this.#writes.get(name);
    if (write) return write.kind === 'put' ? new Uint8Array(write.value) : undefined;
    const known = this.#known.get(name) ?? (await this.#learn(bytes));
    return known.kv && new Uint8Array(known.kv.value);
  }

  async #getAll(target: RangeLike): Promise<readonly Pair[]> {
    this.#assertOpen();
    const range = toRange(target);
    const { kvs } = await this.#snapshot.read(range);
    this.#ranges.push(range);
    for (const kv of kvs) this.#know(kv.key, kv);
    return this.#overlaid(range, kvs);
  }

  put(key: Bytes, value: Bytes, options: StagedPutOptions = {}): void {
    this.#assertOpen();
    const { lease = 0n, ignoreLease = false } = options;
    const op = put(key, value, { lease, ignoreLease });
    this.#writes.set(textOf(op.key), op);
  }

  remove(key: Bytes): void {
    this.#assertOpen();
    const op = remove(toBytes(key, 'key'));
    this.#writes.set(textOf(op.range.key), op);
  }

  /**
   * Ends it: the function is not to be waited for, or has returned.
   *
   * @returns what is to be committed; undefined if nothing is to be written. What is written blindly is read now
   */
  async end(): Promise<Change | undefined> {
    this.close();
    const blind = [...this.#writes].filter(([name]) => !this.#known.has(name));
    await Promise.all(blind.map(([, op]) => this.#learn(keyOf(op))));
    const writes = [...this.#writes].flatMap(([name, op]) => {
      const known = this.#known.get(name);
      // To remove what is not there is nothing to do.
      return known && (op.kind === 'put' || known.kv) ? [{ ...known, op }] : [];
    });
    if (writes.length === 0) return undefined;
    const { revision } = this.#snapshot;
    return { revision, keys: [...this.#known.values()], ranges: [...this.#ranges], writes };
  }

  /** What the function still does with it is refused. */
  close(): void {
    this.#isOver = true;
  }

  async #learn(key: Uint8Array): Promise<KnownKey> {
    const { kvs } = await this.#snapshot.read({ key });
    return this.#know(key, kvs[0]);
  }

  #know(key: Uint8Array, kv: KeyValue | undefined): KnownKey {
    const name = textOf(key);
    const known = this.#known.get(name) ?? { key, kv };
    this.#known.set(name, known);
    return known;
  }

  #overlaid(range: KeyRange, kvs: readonly KeyValue[]): readonly Pair[] {
    const pairs = new Map<string, Pair>();
    for (const { key, value } of kvs) pairs.set(textOf(key), { key, value });
    for (const [name, op] of this.#writes) {
      if (!isWithin(range, name)) continue;
      if (op.kind === 'put') pairs.set(name, { key: op.key, value: op.value });
      else pairs.delete(name);
    }
    const sorted = [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, { key, value }]) => ({ key: new Uint8Array(key), value: new Uint8Array(value) }));
  }

  #assertOpen(): void {
    if (this.#isOver)
      throw new ClosedError('atomically: this transaction is over; use it only until the function returns');
  }
}

/** Reads may be begun together and waited for one after the other: when the first one fails, nobody waits for the others. */
function observed<T>(reading: Promise<T>): Promise<T> {
  reading.catch(() => {});
  return reading;
}

function keyOf(op: PutOp | RemoveOp): Uint8Array {
  return op.kind === 'put' ? op.key : op.range.key;
}

function isWithin({ key, end }: KeyRange, name: string): boolean {
  const first = textOf(key);
  if (end === undefined || end.length === 0) return name === first;
  return first <= name && (isEndless(end) || name < textOf(end));
}

function isEndless(end: Uint8Array): boolean {
  return end.length === 1 && end[0] === 0;
}

/** One character per byte: orders as the store does, and can be the key of a `Map`. */
function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
