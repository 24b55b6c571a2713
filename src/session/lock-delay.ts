import { toText } from '../base/bytes.js';
import { isConclaveError, ResourceExhaustedError } from '../base/errors.js';
import { type Runtime, sleep } from '../base/runtime.js';
import {
  compare,
  type Compare,
  get,
  type GetOp,
  type KeyRange,
  put,
  remove,
  txn,
  type TxnOp,
} from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { isSpaceExceeded } from '../store/outcome.js';
import { retry } from '../store/retry.js';
import type { SeenMarkers } from './seen-markers.js';
import type { Session } from './session.js';

/** The ticket that wants to pass. */
export interface Passing {
  readonly session: Session;
  readonly key: string;
  readonly createRevision: bigint;
  /** What the transaction has read beside the line that put it. */
  readonly settings: readonly KeyValue[];
}

/**
 * Makes a successor wait after a crash, and not after a release in order: for what cannot check a fencing token, in the
 * hope that by then the requests of the crashed holder have arrived. After Chubby's and Consul's lock-delay.
 *
 * Each holder leaves a marker with the name of its ticket, without a lease: a release removes it, a crash does not. Who
 * finds the marker of a ticket that is gone waits, by its own clock and from when its process first found it so, and then
 * overwrites it. It is put in the same transaction as the ticket if the line is free, and else costs one round trip.
 *
 * Only contenders that use it honour it.
 */
export class LockDelay {
  readonly key: string;
  readonly #delayMs: number;
  readonly #runtime: Runtime;
  readonly #seen: SeenMarkers;

  constructor(runtime: Runtime, key: string, delayMs: number, seen: SeenMarkers) {
    this.#runtime = runtime;
    this.key = key;
    this.#delayMs = delayMs;
    this.#seen = seen;
  }

  read(): GetOp {
    return get(this.key);
  }

  isUnmarked(): Compare {
    return compare.createRevision(this.key, '=', 0n);
  }

  isMarkedIn(settings: readonly KeyValue[]): boolean {
    return this.#markerIn(settings) !== undefined;
  }

  /** Part of a take: whoever finds the line free and unmarked is the holder. */
  mark(tickets: KeyRange, ticketKey: Uint8Array): TxnOp {
    return txn({
      if: [compare.createRevision(tickets, '=', 0n), this.isUnmarked()],
      then: [put(this.key, ticketKey)],
    });
  }

  /** Part of giving a ticket back. Until it has passed, the marker is somebody else's. */
  unmark(ticketKey: string): TxnOp {
    return txn({ if: [compare.value(this.key, '=', ticketKey)], then: [remove(this.key)] });
  }

  /**
   * Resolves when the marker is that of this ticket: only then its grant counts.
   *
   * @param onWaiting told what is waited for
   * @throws what ends the wait; ConflictError if somebody removed the ticket; ResourceExhaustedError
   */
  async pass(ticket: Passing, signal: AbortSignal, onWaiting: (what: string) => void): Promise<void> {
    if (isMarkerOf(ticket, this.#markerIn(ticket.settings))) return;
    let marker = await this.#tryMark(ticket, this.isUnmarked(), signal);
    while (!isMarkerOf(ticket, marker)) {
      const crashed = marker ? toText(marker.value) : 'unknown';
      this.#runtime.probe('delay.waiting');
      onWaiting(
        `; the last holder (${crashed}) has not given it back, its lock delay is ${this.#delayMs} ms`,
      );
      const modRevision = marker?.modRevision ?? 0n;
      const now = this.#runtime.now();
      const waitedMs = now - this.#seen.since(this.key, modRevision, now);
      await sleep(this.#runtime, Math.max(0, this.#delayMs - waitedMs), { signal });
      marker = await this.#tryMark(ticket, compare.modRevision(this.key, '=', modRevision), signal);
    }
    this.#seen.forget(this.key);
  }

  /** Late copies are harmless: they need the ticket, and put what is there already. @returns the marker as it is then */
  async #tryMark(
    { session, key, createRevision }: Passing,
    condition: Compare,
    signal: AbortSignal,
  ): Promise<KeyValue | undefined> {
    const mine = compare.createRevision(key, '=', createRevision);
    const look = [get(this.key), get(key)] as const;
    const answer = await retry(
      this.#runtime,
      () =>
        session.store.txn(
          { if: [mine, condition], then: [put(this.key, key), ...look], else: look },
          { timeoutMs: session.requestTimeoutMs },
        ),
      {
        signal,
        again: (error) => {
          if (isSpaceExceeded(error)) throw new ResourceExhaustedError(fullText, { cause: error });
          if (signal.aborted) return false;
          return isConclaveError(error, 'OUTCOME_UNKNOWN') || isConclaveError(error, 'UNAVAILABLE');
        },
      },
    );
    const [marker, ticket] = answer.responses.flatMap((each) => (each.kind === 'get' ? [each.kvs[0]] : []));
    if (ticket?.createRevision !== createRevision) {
      await session.confirm();
      throw session.news.of(key).whyGone(key);
    }
    return marker;
  }

  #markerIn(settings: readonly KeyValue[]): KeyValue | undefined {
    return settings.find(({ key }) => toText(key) === this.key);
  }
}

function isMarkerOf({ key }: Passing, marker: KeyValue | undefined): boolean {
  return marker !== undefined && toText(marker.value) === key;
}

const fullText = 'the store is over its space quota: the lock delay cannot be marked';
