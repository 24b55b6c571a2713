import type { ConclaveError } from '../base/errors.js';
import type { KeyRange } from './operations.js';
import type { StoreEvent } from './results.js';
import type { WatchCommand } from './transport.js';

export interface WatchRequest {
  readonly range: KeyRange;
  /** First revision to deliver; 0n means from now. */
  readonly startRevision: bigint;
  readonly prevKv: boolean;
  readonly exclude: readonly ('put' | 'delete')[];
}

/** Called in order, never from inside `open`. Must not throw. */
export interface WatchListener {
  /** Once: everything after `revision` (or from `startRevision` on) will be delivered. */
  created(revision: bigint): void;
  /** All matching events of one revision. */
  events(revision: bigint, events: readonly StoreEvent[]): void;
  /** A sign of life. Before etcd 3.4.25 it may overtake events: conclude nothing about what was delivered. */
  progress?(revision: bigint): void;
  /** Once, and the last call: the watch cannot go on (compacted, forbidden, closed). */
  ended(error: ConclaveError): void;
}

/** One watch as its owner sees it; survives streams. */
export class Watch {
  id = 0n;
  /** Creations refused in a row. */
  refusals = 0;
  readonly request: WatchRequest;
  readonly #listener: WatchListener;
  readonly #onCancel: () => void;
  /** The first revision not yet delivered; moves only by delivered events, or by "from now" becoming a number. */
  #next: bigint;
  #announced = false;
  #over = false;
  #fragments: StoreEvent[] = [];

  constructor(request: WatchRequest, listener: WatchListener, onCancel: () => void) {
    this.request = request;
    this.#listener = listener;
    this.#onCancel = onCancel;
    this.#next = request.startRevision;
  }

  /** The revision to watch from in order to go on where this watch stopped; 0n before the store has answered. */
  get nextRevision(): bigint {
    return this.#next;
  }

  /** No listener call after this returns. Idempotent. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onCancel();
  }

  /** For the hub. */
  createCommand(): WatchCommand {
    this.#fragments = [];
    return { kind: 'create', watchId: this.id, ...this.request, startRevision: this.#next };
  }

  created(revision: bigint): void {
    this.refusals = 0;
    if (this.#next === 0n) this.#next = revision + 1n;
    if (this.#announced) return;
    this.#announced = true;
    this.#listener.created(revision);
  }

  receive(events: readonly StoreEvent[], moreToCome: boolean): void {
    this.#fragments.push(...events);
    if (moreToCome) return;
    const all = this.#fragments;
    this.#fragments = [];
    let from = 0;
    while (from < all.length) {
      const revision = all[from]?.kv.modRevision ?? 0n;
      let to = from + 1;
      while (all[to]?.kv.modRevision === revision) to++;
      this.#deliver(revision, all.slice(from, to));
      from = to;
    }
  }

  progress(revision: bigint): void {
    if (this.#announced && !this.#over) this.#listener.progress?.(revision);
  }

  end(error: ConclaveError): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.ended(error);
  }

  #deliver(revision: bigint, events: readonly StoreEvent[]): void {
    if (this.#over || revision < this.#next) return;
    this.#next = revision + 1n;
    this.#listener.events(revision, events);
  }
}
