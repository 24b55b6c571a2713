import { checkOptions, type WaitOptions } from '../base/wait.js';
import type { Place } from '../base/keys.js';
import type { Connection } from '../session/connection.js';
import { leaveLine } from '../session/giving-up.js';
import { type BarrierProgress, Entrance } from './entrance.js';
import { type BarrierOptions, checkParties } from './options.js';

/** A round that has tripped, as one of its parties sees it. */
export interface Trip {
  /** The same for all parties of the round, and larger than that of every round before: a revision of the store. */
  readonly round: bigint;
  /** In which order the parties had come: 0 for the first. */
  readonly index: number;
}

/**
 * A meeting point for every process that uses the same name: who comes waits until `parties` have come, then all go on, and
 * the next ones who come are another round.
 *
 * Guarantees:
 * - Nobody passes before all parties of its round were there at one revision of the store, waiting.
 * - What becomes of a round is written once: it is the same for all its parties, also for those who hear of it late.
 * - If a party dies while it waits, and one of the others sees that, all of the round get `BrokenBarrierError`. One that gives
 *   up (timeout, signal, close) breaks nothing: another may come in its place.
 * - More than `parties` may come: the first ones in the order of their tickets pass, the others are of the next round.
 *
 * Several parties may be in one process. A death that no other party sees, because it was cut off just then, breaks
 * nothing, and the round waits for one more.
 */
export class CyclicBarrier {
  readonly #entrance: Entrance;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or number of parties */
  constructor(connection: Connection, place: Place, options: BarrierOptions) {
    this.#entrance = new Entrance(connection, place, {
      kind: 'cyclic barrier',
      parties: checkParties(options),
    });
  }

  /**
   * Waits until all have come. One round trip and a watch; two for the last one, who needs no watch.
   *
   * Who gives up is not counted, and if the round has tripped before the store heard of that, this resolves all the same. Only
   * if the store does not answer in the time of one request it rejects without knowing.
   *
   * @throws BrokenBarrierError if a party has died; ConflictError if others name another number of parties
   * @throws WaitTimeoutError; the signal's reason; SessionLostError; ClosedError; AuthError; TypeError, RangeError for bad
   * options, before anything is sent
   */
  async wait(options: WaitOptions = {}): Promise<Trip> {
    return this.#entrance.enter(options, ({ ticket, fate: { round, index } }) => {
      ticket.session.chore(leaveLine(ticket));
      return { round, index };
    });
  }

  /**
   * How many have come, now and whenever that changes, in order: after a trip, or a broken round, from 0 again. Never the same
   * number twice in a row.
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
