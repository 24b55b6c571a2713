import { equalBytes } from '../base/bytes.js';
import type { KeyRange } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import type { Store } from '../store/store.js';

/** From so many items on it is worth while to remember the order. */
const long = 50;
const remembered = 500;

/** What comes first, as a read has shown it. */
export interface First {
  readonly revision: bigint;
  /** undefined: there is none. */
  readonly item: KeyValue | undefined;
}

/**
 * Which item is the next, by priority or by age.
 *
 * To find the oldest the server has to sort all there is: 10 ms for 10,000 items (measured). So the names that come next are
 * remembered if there are many. That stays right, for what comes later is younger.
 */
export class Head {
  readonly #store: Store;
  readonly #range: KeyRange;
  readonly #order: 'age' | 'name';
  #isLong = false;
  /** Without their values, oldest first. */
  #next: KeyValue[] = [];

  constructor(store: Store, range: KeyRange, order: 'age' | 'name') {
    this.#store = store;
    this.#range = range;
    this.#order = order;
  }

  /** One request, two now and then. */
  async find(signal: AbortSignal): Promise<First> {
    if (this.#isLong && this.#next.length === 0) await this.#remember(signal);
    return (await this.#findRemembered(signal)) ?? this.#search(signal);
  }

  /** This item is not there any more. */
  gone({ key, modRevision }: KeyValue): void {
    const [next] = this.#next;
    if (next?.modRevision === modRevision && equalBytes(next.key, key)) this.#next.shift();
  }

  async #findRemembered(signal: AbortSignal): Promise<First | undefined> {
    for (let [next] = this.#next; next; [next] = this.#next) {
      const { header, kvs } = await this.#store.get(next.key, { signal });
      const [item] = kvs;
      if (item?.modRevision === next.modRevision) return { revision: header.revision, item };
      this.gone(next);
    }
    return undefined;
  }

  async #search(signal: AbortSignal): Promise<First> {
    const target = this.#order === 'age' ? 'mod' : 'key';
    const sort = [target, 'ascend'] as const;
    const { header, kvs, count } = await this.#store.get(this.#range, { sort, limit: 1, signal });
    this.#isLong = this.#order === 'age' && count >= long;
    return { revision: header.revision, item: kvs[0] };
  }

  async #remember(signal: AbortSignal): Promise<void> {
    const names = { sort: ['mod', 'ascend'], limit: remembered, keysOnly: true, signal } as const;
    const { kvs, count } = await this.#store.get(this.#range, names);
    this.#isLong = count >= long;
    this.#next = [...kvs];
  }
}
