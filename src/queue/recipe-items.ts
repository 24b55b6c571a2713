import { toText } from '../base/bytes.js';
import { isConclaveError, OutcomeUnknownError } from '../base/errors.js';
import { Wait, type WaitOptions } from '../base/wait.js';
import { compare, type KeyRange, prefix, remove } from '../store/operations.js';
import { isSpaceExceeded } from '../store/outcome.js';
import type { KeyValue } from '../store/results.js';
import { retry } from '../store/retry.js';
import { atOnce } from '../session/at-once.js';
import type { Connection } from '../session/connection.js';
import { type OnceParts, onceInAnySession } from '../session/once.js';
import { Arrivals } from './recipe-arrivals.js';
import { Head } from './recipe-head.js';

export interface RecipeItemsOptions {
  /** What the items stand below. */
  readonly prefix: string;
  /** The first by this is the next to be taken. */
  readonly order: 'age' | 'name';
  /** For messages: `queue "/q"`. */
  readonly title: string;
}

/** What Go's two queues have in common: items below a prefix, each put once and taken by whoever deletes it. */
export class RecipeItems {
  readonly title: string;
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #range: KeyRange;
  readonly #head: Head;

  constructor(connection: Connection, options: RecipeItemsOptions) {
    this.title = options.title;
    this.#connection = connection;
    this.#prefix = options.prefix;
    this.#range = prefix(options.prefix);
    this.#head = new Head(connection.store, this.#range, options.order);
  }

  /** Puts an item, once. `attempt` looks for a place and says whether it got it. */
  async add(attempt: (wait: Wait) => Promise<boolean>): Promise<void> {
    return atOnce(this.#connection, `${this.title}: enqueue`, (wait) => this.#tryPlaces(attempt, wait));
  }

  /** As `add`; those of one process that look for the same place, called `place`, do so one after the other. */
  async addInTurn(place: string, attempt: (wait: Wait) => Promise<boolean>): Promise<void> {
    return atOnce(this.#connection, `${this.title}: enqueue`, (wait) =>
      this.#inTurn(place, wait, () => this.#tryPlaces(attempt, wait)),
    );
  }

  /** The first item, removed; waits for one. */
  async take(options: WaitOptions): Promise<Uint8Array> {
    const wait = Wait.start(this.#connection.runtime, options, `${this.title}: dequeue`);
    wait.endsWith(this.#connection.closing);
    try {
      if (wait.immediate) return await this.#takeFirst(wait);
      return await this.#inTurn('take', wait, () => this.#takeFirst(wait));
    } finally {
      wait.end();
    }
  }

  /** Does a transaction of this queue once, or not at all. @returns false if its conditions did not hold */
  async once(parts: OnceParts, signal: AbortSignal): Promise<boolean> {
    const { isDone } = await onceInAnySession(this.#connection, parts, signal);
    return isDone;
  }

  async #tryPlaces(attempt: (wait: Wait) => Promise<boolean>, wait: Wait): Promise<void> {
    const tryOnce = async (): Promise<void> => {
      if (!(await attempt(wait))) throw placeTaken;
    };
    const again = (error: unknown): boolean => error === placeTaken;
    return retry(this.#connection.runtime, tryOnce, { signal: wait.signal, again });
  }

  /** One after the other, first come, first served: those of one process do not race for the same key. */
  async #inTurn<T>(what: string, wait: Wait, work: () => Promise<T>): Promise<T> {
    const session = await this.#patiently(wait, () => wait.race(this.#connection.session()));
    if (this.#connection.isForOneSession) wait.endsWith(session.signal);
    const queue = this.#connection.queues.of(session, `${this.#prefix} ${what}`);
    if (queue.isBusy) wait.obstacle = '; other tasks of this process wait for it, too';
    const turn = await queue.enter(wait.signal);
    try {
      return await work();
    } finally {
      turn.end();
    }
  }

  async #takeFirst(wait: Wait): Promise<Uint8Array> {
    const { store, runtime } = this.#connection;
    const arrivals = new Arrivals(store, runtime, this.#range);
    try {
      while (true) {
        const { revision, item } = await this.#patiently(wait, () => this.#head.find(wait.signal));
        if (item) {
          const isOurs = await this.#patiently(wait, () => this.#claim(item, wait.signal));
          this.#head.gone(item);
          if (isOurs) return item.value;
          continue;
        }
        wait.obstacle = '; it is empty';
        if (wait.immediate) throw wait.timeout();
        await arrivals.after(revision, wait.signal);
      }
    } finally {
      arrivals.close();
    }
  }

  /** @returns false if it is gone */
  async #claim(item: KeyValue, signal: AbortSignal): Promise<boolean> {
    const isThere = compare.modRevision(item.key, '=', item.modRevision);
    const removal = { if: [isThere], then: [remove(item.key)] };
    try {
      return await this.once(removal, signal).catch((error: unknown) =>
        this.#claimWithoutSpace(removal, error),
      );
    } catch (error) {
      if (!isConclaveError(error, 'OUTCOME_UNKNOWN')) throw error;
      const key = JSON.stringify(toText(item.key));
      throw new OutcomeUnknownError(
        `${this.title}: ${key} may have been taken by this call; if it is gone from the store, it may be lost`,
        { cause: error },
      );
    }
  }

  /** Had no space for the receipt? That answer was the last word on the request: what still stands is not taken. */
  async #claimWithoutSpace(removal: OnceParts, error: unknown): Promise<true> {
    if (!isSpaceExceeded(error)) throw error;
    const { succeeded } = await this.#connection.store.txn(removal);
    if (!succeeded) throw error;
    return true;
  }

  /** While the store is away, for as long as `wait` lasts; at least once. */
  async #patiently<T>(wait: Wait, work: () => Promise<T>): Promise<T> {
    const result = await retry(this.#connection.runtime, work, {
      signal: wait.signal,
      again: (error) => {
        wait.obstacle = `; ${String(error)}`;
        return !wait.immediate && !wait.signal.aborted && isConclaveError(error, 'UNAVAILABLE');
      },
    });
    wait.obstacle = '';
    return result;
  }
}

/** Thrown to look for another place. */
const placeTaken = new Error('the place is taken');
