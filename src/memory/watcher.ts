import type { StoreEvent } from '../store/results.js';
import type { WatchCommand } from '../store/transport.js';
import type { Change } from './key-history.js';
import { type Span, contains, spanOf } from './key-text.js';
import type { Mvcc } from './mvcc.js';
import { copyOf } from './reading.js';

type WatchRequest = Extract<WatchCommand, { kind: 'create' }>;

/** One watch: which changes it wants, and how they look to it. */
export class Watcher {
  /** Changes before this revision are not for this watch. */
  readonly startRevision: bigint;
  readonly #span: Span;
  readonly #request: WatchRequest;
  readonly #store: Mvcc;
  readonly #deliver: (events: readonly StoreEvent[], revision: bigint) => void;

  /** `deliver` gets the events of whole revisions, and the revision up to which they are complete. */
  constructor(
    request: WatchRequest,
    startRevision: bigint,
    store: Mvcc,
    deliver: (events: readonly StoreEvent[], revision: bigint) => void,
  ) {
    this.startRevision = startRevision;
    this.#span = spanOf(request.range);
    this.#request = request;
    this.#store = store;
    this.#deliver = deliver;
  }

  /** The key it watches, if it is only one. */
  get onlyKey(): string | undefined {
    const { first, end } = this.#span;
    return end === `${first}\0` ? first : undefined;
  }

  wants(change: Change): boolean {
    return (
      change.kv.modRevision >= this.startRevision &&
      !this.#request.exclude.includes(change.type) &&
      contains(this.#span, change.key)
    );
  }

  /** Takes changes it wants, all of whole revisions. */
  accept(changes: readonly Change[], revision: bigint): void {
    this.#deliver(
      changes.map((change) => this.#eventOf(change)),
      revision,
    );
  }

  #eventOf(change: Change): StoreEvent {
    const event = { type: change.type, kv: copyOf(change.kv) };
    const before = this.#request.prevKv ? this.#pairBefore(change) : undefined;
    return before === undefined ? event : { ...event, prevKv: copyOf(before) };
  }

  /** As of the revision before, whatever else the same transaction did to the key. */
  #pairBefore({ kv }: Change): StoreEvent['prevKv'] {
    const revision = kv.modRevision - 1n;
    if (kv.createRevision === kv.modRevision || revision < this.#store.compactedRevision) return undefined;
    return this.#store.pair(kv.key, revision);
  }
}
