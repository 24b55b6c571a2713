import { type Bytes, toBytes, toText } from '../base/bytes.js';
import { ConflictError } from '../base/errors.js';
import type { WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { compare, put } from '../store/operations.js';
import { RecipeItems } from './recipe-items.js';
import { itemPrefix, nextItemName, priorityKeys, type PriorityKeys } from './recipe-keys.js';

const maxPriority = 65_535;

/**
 * The priority queue of etcd's Go client (`recipes.PriorityQueue`), on the same keys. The lowest number first; within a
 * priority first in, first out.
 *
 * Promises what `RecipeQueue` does, and no more: what is taken is gone. A `dequeue` that waits takes the best of what is
 * there when it wakes up (one in Go takes what came first). Items stand at `<path>/<priority>/<number>`; those of one
 * priority are put one at a time, which a key outside of `<path>/` sees to: `__<path>/<priority>`. It stays.
 */
export class RecipePriorityQueue {
  readonly #connection: Connection;
  readonly #path: string;
  readonly #items: RecipeItems;

  /** @internal No I/O. @throws TypeError for a bad path */
  constructor(connection: Connection, path: string) {
    this.#connection = connection;
    this.#path = path;
    const title = `priority queue ${JSON.stringify(path)}`;
    this.#items = new RecipeItems(connection, { prefix: itemPrefix(path), order: 'name', title });
  }

  /**
   * Puts an item behind those of its priority. Two round trips, more if others put one of the same priority meanwhile.
   *
   * @param priority 0 to 65535, 0 is the first
   * @throws as `RecipeQueue.enqueue`; ConflictError if something else than items stands there
   * @throws TypeError, RangeError for a bad value or priority, before any I/O
   */
  async enqueue(value: Bytes, priority: number): Promise<void> {
    const bytes = toBytes(value);
    const keys = priorityKeys(this.#path, checkPriority(priority));
    return this.#items.addInTurn(keys.guard, async ({ signal }) => {
      const { revision, name } = await this.#nextPlace(keys, signal);
      const key = keys.start + name;
      // Somebody may have put what comes after the last one, and others may have taken it: the name would not tell.
      const isLast = compare.modRevision(keys.guard, '<', revision + 1n);
      const isFree = compare.createRevision(key, '=', 0n);
      const item = { if: [isLast, isFree], then: [put(keys.guard, ''), put(key, bytes)] };
      return this.#items.once(item, signal);
    });
  }

  /** Takes the first item of the lowest number, and waits for one if there is none. @throws as `RecipeQueue.dequeue` */
  async dequeue(options: WaitOptions = {}): Promise<Uint8Array> {
    return this.#items.take(options);
  }

  async #nextPlace(
    { range, start }: PriorityKeys,
    signal: AbortSignal,
  ): Promise<{ readonly revision: bigint; readonly name: string }> {
    const { store } = this.#connection;
    const last = { sort: ['key', 'descend'], limit: 1, keysOnly: true, signal } as const;
    const { header, kvs } = await store.get(range, last);
    const key = kvs[0] && toText(kvs[0].key);
    const name = nextItemName(key?.slice(start.length));
    if (name !== undefined) return { revision: header.revision, name };
    throw new ConflictError(
      `${this.#items.title}: ${JSON.stringify(key)} is no item: no number can follow it`,
    );
  }
}

/** @throws TypeError, RangeError */
function checkPriority(priority: number): number {
  if (typeof priority !== 'number') throw new TypeError('priority must be a number');
  if (!Number.isInteger(priority) || priority < 0 || priority > maxPriority) {
    throw new RangeError(`priority must be a whole number from 0 to ${maxPriority}, got ${priority}`);
  }
  return priority;
}
