import { decodeName, encodeName } from '../base/keys.js';
import { compare, type Compare, get, type GetOp, range } from '../store/operations.js';

/** A revision as part of a key: keys sort as the revisions do. */
export function hex16(revision: bigint): string {
  return revision.toString(16).padStart(16, '0');
}

/**
 * Where jobs of one priority wait, in order. A job's key begins with a revision of the store that was read before the job
 * was put, so if one enqueue had returned before another began, its key comes first: real-time order, without any clock
 * and without a counter that all would have to write.
 *
 * Nothing ever lands at or below the lane's floor: whoever puts a key compares it. So a search may begin there, and does
 * not walk over the remains of all that was ever taken.
 */
export class Lane {
  readonly prefix: string;
  /** Where its floor is written, as 16 hex digits. */
  readonly floorKey: string;
  readonly priority: number;

  /** @param prefixOfLanes where the lanes of a queue or group stand, and `floors` where theirs do */
  constructor(prefixOfLanes: string, floors: string, priority: number) {
    this.prefix = `${prefixOfLanes}${priority}/`;
    this.floorKey = `${floors}${priority}`;
    this.priority = priority;
  }

  /** @param index the place among those that were put by one transaction */
  keyOf(revision: bigint, index: number, id: string): string {
    return `${this.prefix}${hex16(revision)}-${index.toString(16).padStart(4, '0')}/${encodeName(id)}`;
  }

  /** A key with this revision is above the floor. False if there is no floor yet. */
  isAbove(revision: bigint): Compare {
    return compare.value(this.floorKey, '<', hex16(revision));
  }

  hasNoFloor(): Compare {
    return compare.createRevision(this.floorKey, '=', 0n);
  }

  /** Nothing stands at these revisions, `from` included, `end` not. */
  isEmpty(from: bigint, end: bigint | string): Compare {
    return compare.createRevision(this.#range(from, end), '=', 0n);
  }

  /** A bounded search: the server walks over the whole range, whatever the limit. */
  read(from: bigint, end: bigint, limit: number): GetOp {
    return get(this.#range(from, end), { limit });
  }

  #range(from: bigint, end: bigint | string): ReturnType<typeof range> {
    return range(this.prefix + hex16(from), typeof end === 'string' ? end : this.prefix + hex16(end));
  }
}

/** The last part of a key that ends with the id of a job. */
export function idIn(key: string): string {
  return decodeName(key.slice(key.lastIndexOf('/') + 1));
}

/** The revision in a key of this lane. */
export function revisionIn(lane: Lane, key: string): bigint {
  return BigInt(`0x${key.slice(lane.prefix.length, lane.prefix.length + 16)}`);
}
