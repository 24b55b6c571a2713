import type { KeyRange } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { type Change, KeyHistory } from './key-history.js';
import { keyText, spanOf } from './key-text.js';
import { refusal } from './refusal.js';
import { SortedMap } from './sorted-map.js';

/** What can be read: the store itself, or the store as a transaction under way sees it. */
export interface View {
  /** The newest revision that can be read. */
  readonly revision: bigint;
  /** Reads of an older revision are refused. */
  readonly compactedRevision: bigint;
  /** The pairs of a range in key order, as they are now or were at a revision that is not compacted. */
  pairs(range: KeyRange, at?: bigint): Iterable<KeyValue>;
  pair(key: Uint8Array, at?: bigint): KeyValue | undefined;
}

/** Every key in every revision since the last compaction. One revision per transaction that changes anything. */
export class Mvcc implements View {
  /** Keys visited by reads so far: what a read costs, independent of the machine. */
  keysWalked = 0;
  readonly #keys = new SortedMap<KeyHistory>();
  /** The changes of each revision from `#logStart` on, without gaps. */
  readonly #log: (readonly Change[])[] = [];
  #logStart = 2n;
  #revision = 1n;
  #compactedRevision = -1n;
  readonly #committed: (changes: readonly Change[]) => void;

  /** `committed` is called with the changes of each new revision, after they can be read. */
  constructor(committed: (changes: readonly Change[]) => void) {
    this.#committed = committed;
  }

  get revision(): bigint {
    return this.#revision;
  }

  get compactedRevision(): bigint {
    return this.#compactedRevision;
  }

  *pairs(range: KeyRange, at: bigint = this.#revision): Generator<KeyValue> {
    const { first, end } = spanOf(range);
    for (const history of this.#keys.walk(first, end)) {
      this.keysWalked++;
      const kv = history.at(at);
      if (kv !== undefined) yield kv;
    }
  }

  pair(key: Uint8Array, at: bigint = this.#revision): KeyValue | undefined {
    this.keysWalked++;
    return this.#keys.get(keyText(key))?.at(at);
  }

  /**
   * Begins a transaction. There is no way back: check first, then write. Nothing else may touch the store until its
   * `commit`.
   */
  write(): Write {
    return new Write(this, (change) => {
      let history = this.#keys.get(change.key);
      if (history === undefined) this.#keys.set(change.key, (history = new KeyHistory()));
      history.add(change);
    });
  }

  /** The end of a transaction: its changes become a revision; no changes, no revision. */
  append(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#log.push(changes);
    this.#revision += 1n;
    this.#committed(changes);
  }

  /** The changes of each revision from `start` on. */
  changesSince(start: bigint): readonly (readonly Change[])[] {
    return this.#log.slice(Math.max(0, Number(start - this.#logStart)));
  }

  /**
   * Forgets everything that only reads of revisions before this one need.
   * @throws TransportError if it is compacted already or in the future.
   */
  compact(revision: bigint): void {
    if (revision <= this.#compactedRevision) throw refusal('compacted');
    if (revision > this.#revision) throw refusal('futureRevision');
    this.#compactedRevision = revision;
    // Only keys that changed since the last compaction can have anything to forget.
    const end = Math.max(0, Number(revision - this.#logStart) + 1);
    for (const { key } of this.#log.slice(0, end).flat())
      if (this.#keys.get(key)?.compact(revision)) this.#keys.delete(key);
    // The revision itself stays watchable. (etcd loses its deletes up to 3.4.33; we keep them, as later ones do.)
    const forgotten = Math.max(0, end - 1);
    this.#log.splice(0, forgotten);
    this.#logStart += BigInt(forgotten);
  }
}

/** A transaction under way: it sees its own changes, all of which will have the same revision. */
export class Write implements View {
  readonly #changes: Change[] = [];
  readonly #store: Mvcc;
  readonly #record: (change: Change) => void;

  constructor(store: Mvcc, record: (change: Change) => void) {
    this.#store = store;
    this.#record = record;
  }

  get revision(): bigint {
    return this.#changes.length === 0 ? this.#store.revision : this.#nextRevision;
  }

  get compactedRevision(): bigint {
    return this.#store.compactedRevision;
  }

  pairs(range: KeyRange, at: bigint = this.revision): Iterable<KeyValue> {
    return this.#store.pairs(range, at);
  }

  pair(key: Uint8Array, at: bigint = this.revision): KeyValue | undefined {
    return this.#store.pair(key, at);
  }

  put(key: Uint8Array, value: Uint8Array, lease: bigint): void {
    const modRevision = this.#nextRevision;
    const before = this.pair(key);
    this.#add('put', {
      key: new Uint8Array(key), // copies: the caller may reuse its buffers
      value: new Uint8Array(value),
      createRevision: before?.createRevision ?? modRevision,
      modRevision,
      version: (before?.version ?? 0n) + 1n,
      lease,
    });
  }

  /** Deletes a range; returns what was there. */
  remove(range: KeyRange): readonly KeyValue[] {
    const removed = [...this.pairs(range)];
    for (const { key } of removed) this.#add('delete', tombstone(key, this.#nextRevision));
    return removed;
  }

  commit(): void {
    this.#store.append(this.#changes);
  }

  get #nextRevision(): bigint {
    return this.#store.revision + 1n;
  }

  #add(type: Change['type'], kv: KeyValue): void {
    const change: Change = { type, key: keyText(kv.key), kv };
    this.#changes.push(change);
    this.#record(change);
  }
}

function tombstone(key: Uint8Array, modRevision: bigint): KeyValue {
  return { key, value: new Uint8Array(), createRevision: 0n, modRevision, version: 0n, lease: 0n };
}
