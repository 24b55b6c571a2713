import { type Bytes, toBytes } from '../base/bytes.js';
import type { WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { compare, put } from '../store/operations.js';
import { RecipeItems } from './recipe-items.js';
import { itemName, itemPrefix } from './recipe-keys.js';

/**
 * The queue of etcd's Go client (`recipes.Queue`), on the same keys: programs in Go and with Conclave put into it and take
 * from it together. For that alone: what is taken is gone, so a process that crashes before it is done loses the item.
 *
 * Guarantees:
 * - `enqueue` puts its item once, whatever becomes of the answer.
 * - An item is taken by one `dequeue` at most, here or in Go, and is not lost because an answer is: a receipt tells whether
 *   it was taken, also after the session has ended.
 * - First in, first out, by the order in which the store got the items.
 *
 * Not guaranteed: that an item is worked on. It is lost if the process ends between its removal and its use. It may be lost
 * if a call ends with `OutcomeUnknownError`.
 *
 * Within a process who asks first is served first, unless another process is faster. Between processes there is no order:
 * the layout has no place for who waits. For each item that comes each process that waits reads once, and tries once.
 *
 * To find the oldest the server sorts all that is there. While many are, this object remembers the next 500, so keep it
 * instead of making one for each call. Items stand at `<path>/<number>`. Put
 * nothing else below `<path>/`, no other queue either: all of it is taken for items. And a queue in Go takes whatever
 * *begins* with its name: the one called `q` also empties `q1`.
 */
export class RecipeQueue {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #items: RecipeItems;

  /** @internal No I/O. @throws TypeError for a bad path */
  constructor(connection: Connection, path: string) {
    this.#connection = connection;
    this.#prefix = itemPrefix(path);
    const title = `queue ${JSON.stringify(path)}`;
    this.#items = new RecipeItems(connection, { prefix: this.#prefix, order: 'age', title });
  }

  /**
   * Puts an item at the end. One round trip. Text is stored as UTF-8.
   *
   * @throws UnavailableError if the store does not answer within `dialTimeoutMs`, nothing was put; OutcomeUnknownError if it
   * could not be found out whether it was put, or if the store is over its quota; AuthError; ClosedError
   * @throws TypeError for a value that is no text or bytes, before any I/O
   */
  async enqueue(value: Bytes): Promise<void> {
    const bytes = toBytes(value);
    const { runtime } = this.#connection;
    return this.#items.add(async ({ signal }) => {
      const key = this.#prefix + itemName(runtime.wallNow(), runtime.random());
      const isFree = compare.createRevision(key, '=', 0n);
      return this.#items.once({ if: [isFree], then: [put(key, bytes)] }, signal);
    });
  }

  /**
   * Takes the oldest item, and waits for one if there is none, also while the store is away. Two round trips if there is
   * one. `toText` makes text of it.
   *
   * While a removal is under way, `timeoutMs`, `signal` and `close` wait some seconds for its answer: the item would be lost
   * otherwise. A rejection with another error than `OutcomeUnknownError` has taken nothing.
   *
   * In a store that is over its quota there is no room for the receipt: then an item is lost if the answer is, as in Go.
   *
   * @throws WaitTimeoutError; the signal's reason; ClosedError; AuthError
   * @throws OutcomeUnknownError if nobody can tell in time whether an item was taken; the message names its key
   */
  async dequeue(options: WaitOptions = {}): Promise<Uint8Array> {
    return this.#items.take(options);
  }
}
