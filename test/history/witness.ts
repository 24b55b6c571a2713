import { numberOf } from './facts.js';
import { revisionAt } from './lives.js';
import type { Change, Operation } from './record.js';

/**
 * What writes tell of the revision that the store had before they began. Who calls notes the time before it sends anything, and
 * after it was told, by the one clock of all processes. So a write that began after something was told was applied after it,
 * at a larger revision: however late the answer came, whichever member gave it, and whenever the dump saw it.
 *
 * Fencing tokens are no such witness: a ticket may be older than the call that it is given to.
 */
export class Witness {
  /** By the time at which they began; each with the smallest revision from there on. */
  readonly #writes: { readonly began: number; revision: number }[];

  /** @param operations of all clients; the more there are, the more it knows */
  constructor(operations: readonly Operation[]) {
    this.#writes = operations
      .filter(({ call, outcome }) => call === 'write' && outcome === 'ok')
      .map(({ invokedAt, output }) => ({ began: invokedAt, revision: numberOf(output, 'revision') }))
      .filter(({ revision }) => !Number.isNaN(revision))
      .sort((a, b) => a.began - b.began);
    let smallest = Infinity;
    for (const each of this.#writes.toReversed())
      each.revision = smallest = Math.min(smallest, each.revision);
  }

  /** The smallest revision of a write that began after this time, not at it; Infinity if there is none. */
  after(time: number): number {
    let [low, high] = [0, this.#writes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#writes[middle]?.began ?? 0) <= time) low = middle + 1;
      else high = middle;
    }
    return this.#writes[low]?.revision ?? Infinity;
  }
}

/** By what it is told which revision the store had. */
export interface Sight {
  readonly changes: readonly Change[];
  /** How much later than it happened a change may have been seen. @default 0 */
  readonly lagMs?: number;
  /** @default nobody: it is as late as `lagMs` */
  readonly witness?: Witness;
}

/** No smaller than the revision that the store had at this time, and no larger than it must be. */
export function revisionBy({ changes, lagMs = 0, witness }: Sight, time: number): number {
  return Math.min(revisionAt(changes, time + lagMs), witness?.after(time) ?? Infinity);
}
