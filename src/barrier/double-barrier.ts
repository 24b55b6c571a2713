import { checkOptions, type WaitOptions } from '../base/wait.js';
import type { Place } from '../base/keys.js';
import type { Connection } from '../session/connection.js';
import { type BarrierProgress, Entrance } from './entrance.js';
import { type BarrierOptions, checkParties } from './options.js';
import { Pass } from './pass.js';

/**
 * A section that `parties` processes, or tasks, enter together and leave together: nobody is inside before all have come, and
 * nobody is done before all have left.
 *
 * Guarantees:
 * - Nobody enters before all parties of the round were there at one revision of the store, waiting.
 * - What becomes of a round is written once: it is the same for all its parties, also for those who hear of it late.
 * - `leave` resolves when all of the round have left. If one of them is gone without that, for it has died inside or gave up
 *   waiting for the others, it rejects with `BrokenBarrierError`, whether or not anybody saw it go.
 * - If a party dies while it waits to enter, and one of the others sees that, all of the round get `BrokenBarrierError`. One
 *   that gives up (timeout, signal, close) breaks nothing: another may come in its place. The next round is clean.
 * - More than `parties` cannot come, nor can anybody while a round is inside: `ConflictError`, at once.
 *
 * Several parties may be in one process. A death that no other party sees, because it was cut off just then, breaks
 * nothing before the round has tripped, and the round waits for one more.
 */
export class DoubleBarrier {
  readonly #entrance: Entrance;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or number of parties */
  constructor(connection: Connection, place: Place, options: BarrierOptions) {
    this.#entrance = new Entrance(connection, place, {
      kind: 'double barrier',
      parties: checkParties(options),
    });
  }

  /**
   * Waits until all have come. One round trip and a watch; two for the last one, who needs no watch.
   *
   * Who gives up is not counted, and if the round has tripped before the store heard of that, this resolves all the same. Only
   * if the store does not answer in the time of one request it rejects without knowing; should it be inside then, it is gone
   * as one that has died.
   *
   * @throws BrokenBarrierError if a party has died; ConflictError if more have come than there are parties, if the round
   * before is still inside, or if others name another number of parties
   * @throws WaitTimeoutError; the signal's reason; SessionLostError; ClosedError; AuthError; TypeError, RangeError for bad
   * options, before anything is sent
   */
  async enter(options: WaitOptions = {}): Promise<Pass> {
    return this.#entrance.enter(options, (entered) => new Pass(this.#entrance, entered));
  }

  /**
   * Enters, runs `work`, and leaves in every case, waiting for the others. Always waits for `work`. `timeoutMs` ends only the
   * wait to enter; `signal` also that for the others to leave.
   *
   * @throws what `enter` throws; the error of `work`; otherwise what `leave` throws
   */
  async run<T>(work: (pass: Pass) => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
    if (typeof work !== 'function') throw new TypeError('run needs a function');
    const { connection } = this.#entrance;
    // In the turn in which it is inside: `close` has to know of the callback.
    const { running } = await this.#entrance.enter(options, (entered) => ({
      running: connection.track(new Pass(this.#entrance, entered).during(work, options.signal)),
    }));
    return running;
  }

  /**
   * How many have come, now and whenever that changes, in order: once all are inside, or the round is broken, from 0 again.
   * Never the same number twice in a row.
   *
   * @throws the signal's reason; ClosedError; AuthError
   */
  async *observe(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<BarrierProgress, void, undefined> {
    checkOptions(options, ['signal'], `${this.#entrance.title}: observe`);
    yield* this.#entrance.progress(options.signal);
  }
}
