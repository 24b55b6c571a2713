import { CompactedError, type ConclaveError } from '../base/errors.js';
import type { Runtime, Timer } from '../base/runtime.js';
import { raceSignal } from '../base/wait.js';
import type { KeyRange } from '../store/operations.js';
import type { Store } from '../store/store.js';
import type { Watch } from '../store/watch.js';

/** How often to look although the watch is silent: some versions of etcd lose events (3.4.23 around compactions). */
const recheckMs = 15_000;

/**
 * Tells whether something may have been put in a range after it was read: when to read again.
 *
 * One watch, from the first question on until `close`. It begins "from now", since one that begins in the past is served by
 * the server's 100 ms loop; what it has missed between the read and its beginning is a reason to read again.
 */
export class Arrivals {
  readonly #store: Store;
  readonly #runtime: Runtime;
  readonly #range: KeyRange;
  #watch: Watch | undefined;
  /** Up to here something may have come. */
  #latest = 0n;
  #wake: ((error?: ConclaveError) => void) | undefined;

  constructor(store: Store, runtime: Runtime, range: KeyRange) {
    this.#store = store;
    this.#runtime = runtime;
    this.#range = range;
  }

  /**
   * Resolves when something may have come after `revision`.
   *
   * @throws the signal's reason; AuthError, ClosedError if nothing will be told any more
   */
  async after(revision: bigint, signal: AbortSignal): Promise<void> {
    let recheck: Timer | undefined;
    const news = new Promise<void>((resolve, reject) => {
      recheck = this.#runtime.setTimer(recheckMs, resolve, { background: true });
      this.#wake = (error) => {
        if (error) reject(error);
        else if (this.#latest > revision || this.#watch === undefined) resolve();
      };
    });
    if (this.#watch === undefined) this.#open();
    else this.#wake?.();
    try {
      await raceSignal(news, signal);
    } finally {
      recheck?.cancel();
      this.#wake = undefined;
    }
  }

  close(): void {
    this.#watch?.cancel();
  }

  #open(): void {
    const come = (revision: bigint): void => {
      if (revision > this.#latest) this.#latest = revision;
      this.#wake?.();
    };
    this.#watch = this.#store.listen(
      this.#range,
      { exclude: ['delete'] },
      {
        created: (revision) => {
          this.#runtime.probe('recipe.watching');
          come(revision);
        },
        events: come,
        ended: (error) => {
          this.#watch = undefined;
          this.#wake?.(error instanceof CompactedError ? undefined : error);
        },
      },
    );
  }
}
