import type { KeyValue } from '../store/results.js';
import type { KeyText } from './key-text.js';
import { firstIndex } from './sorted-map.js';

/** What one put or delete did to one key. For a delete, `kv` has only its key and `modRevision`. */
export interface Change {
  readonly type: 'put' | 'delete';
  readonly key: KeyText;
  readonly kv: KeyValue;
}

/** Everything that happened to one key since the last compaction. */
export class KeyHistory {
  /** By revision, ascending. A transaction can change a key twice in one revision; the later change counts. */
  readonly #changes: Change[] = [];

  add(change: Change): void {
    this.#changes.push(change);
  }

  /** The pair as it was at a revision; undefined if there was none. */
  at(revision: bigint): KeyValue | undefined {
    const newest = this.#changes.at(-1);
    const change =
      newest !== undefined && newest.kv.modRevision <= revision
        ? newest // nearly every read is of the present
        : this.#changes[this.#countUpTo(revision) - 1];
    return change?.type === 'put' ? change.kv : undefined;
  }

  /** Forgets what no read at `revision` or later can see; true if nothing is left. */
  compact(revision: bigint): boolean {
    const newest = this.#countUpTo(revision) - 1;
    const isGone = this.#changes[newest]?.type === 'delete';
    this.#changes.splice(0, isGone ? newest + 1 : newest);
    return this.#changes.length === 0;
  }

  #countUpTo(revision: bigint): number {
    return firstIndex(this.#changes, (change) => change.kv.modRevision > revision);
  }
}
