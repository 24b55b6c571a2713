import { isConclaveError } from '../base/errors.js';
import { get, type KeyRange } from './operations.js';
import { readTogether } from './read-together.js';
import type { GetResult } from './results.js';
import type { Store } from './store.js';

/** What one transaction carries. */
const readsAtATime = 100;

interface Read {
  readonly range: KeyRange;
  readonly resolve: (result: GetResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The store at one revision: that of the first read. Reads that are asked for at the same time go together, in one round
 * trip.
 */
export class Snapshot {
  readonly #store: Store;
  readonly #signal: AbortSignal;
  readonly #waiting: Read[] = [];
  #isBusy = false;
  #revision = 0n;
  #isUnreadable = false;

  constructor(store: Store, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  /** 0n before the first read is answered. */
  get revision(): bigint {
    return this.#revision;
  }

  /** Its revision has been compacted away, or a member that lags has not seen it: only a new snapshot can be read. */
  get isUnreadable(): boolean {
    return this.#isUnreadable;
  }

  read(range: KeyRange): Promise<GetResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ range, resolve, reject });
      if (!this.#isBusy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#isBusy = true;
    await Promise.resolve(); // for whatever else is read right now
    while (this.#waiting.length > 0) await this.#readAll(this.#waiting.splice(0, readsAtATime));
    this.#isBusy = false;
  }

  async #readAll(reads: readonly Read[]): Promise<void> {
    const ops = reads.map(({ range }) => get(range, { revision: this.#revision }));
    try {
      const { revision, results } = await readTogether(this.#store, ops, { signal: this.#signal });
      this.#revision ||= revision;
      reads.forEach(({ resolve }, i) => resolve(results[i] as GetResult));
    } catch (error) {
      this.#isUnreadable ||= isConclaveError(error, 'COMPACTED') || isConclaveError(error, 'FUTURE_REVISION');
      for (const { reject } of reads) reject(error);
    }
  }
}
