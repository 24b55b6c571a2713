import { ConflictError } from '../base/errors.js';
import { idsKey } from '../base/keys.js';
import { checkOptions } from '../base/wait.js';
import { atOnce } from '../session/at-once.js';
import type { Connection } from '../session/connection.js';
import { largest } from './number-value.js';
import { StoredNumber } from './stored-number.js';

export interface IdsOptions {
  /** How many ids a process reserves at a time, 1 to 1,000,000. A crash loses what is left of them. @default 100 */
  readonly block?: number;
}

/** Ids from `next` up to but without `end`. */
interface Block {
  next: bigint;
  readonly end: bigint;
}

interface Waiting {
  readonly count: number;
  readonly resolve: (ids: bigint[]) => void;
  readonly reject: (error: unknown) => void;
}

const mostAtATime = 1_000_000;

/**
 * Numbers that no two get: 1 and up, for all processes that use the same name.
 *
 * Guarantees:
 * - Unique, whatever becomes of an answer, a session or a process, as long as nobody removes the key.
 * - Those of one object grow.
 *
 * Not guaranteed: an order between processes, each of which has a block of its own; that none is left out; anything across a
 * restore of the store from a snapshot: what was given out since it was taken is given out again.
 *
 * One transaction per block. The next block is reserved when half of one has been given out, so `next` rarely waits.
 */
export class Ids {
  readonly #connection: Connection;
  readonly #block: number;
  readonly #number: StoredNumber;
  #blocks: Block[] = [];
  #waiting: Waiting[] = [];
  #isReserving = false;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or option */
  constructor(connection: Connection, name: string, options: IdsOptions = {}) {
    const title = `ids ${JSON.stringify(name)}`;
    const key = idsKey(connection.namespace, name);
    checkOptions(options, ['block'], title);
    this.#connection = connection;
    this.#block = checkCount(options.block ?? 100, 'block');
    this.#number = new StoredNumber(connection, key, title);
  }

  /**
   * Another one. No round trip if one is in reserve.
   *
   * @throws UnavailableError if none is and the store does not answer; OutcomeUnknownError; ConflictError if what is stored is no number,
   * or if 64 bits are used up; AuthError; ClosedError
   */
  async next(): Promise<bigint> {
    const [id] = await this.nextMany(1);
    return id ?? 0n; // one was asked for
  }

  /** As many, in order. @param count 1 to 1,000,000 @throws as `next`; RangeError */
  async nextMany(count: number): Promise<bigint[]> {
    checkCount(count, 'count');
    this.#connection.closing.throwIfAborted();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ count, resolve, reject });
      this.#serve();
    });
  }

  /** First come, first served. Reserves more in the background if little is left. */
  #serve(): void {
    while (this.#waiting[0] && this.#waiting[0].count <= this.#left()) {
      const { count, resolve } = this.#waiting.shift() as Waiting;
      resolve(this.#take(count));
    }
    if (!this.#isReserving && (this.#waiting.length > 0 || this.#left() * 2 <= this.#block))
      void this.#reserve();
  }

  #left(): number {
    return this.#blocks.reduce((sum, { next, end }) => sum + Number(end - next), 0);
  }

  #take(count: number): bigint[] {
    const ids: bigint[] = [];
    while (ids.length < count) {
      const [block] = this.#blocks;
      if (!block) break;
      ids.push(block.next++);
      if (block.next === block.end) this.#blocks.shift();
    }
    return ids;
  }

  async #reserve(): Promise<void> {
    this.#isReserving = true;
    await Promise.resolve(); // for whatever else is asked for right now
    const asked = this.#waiting.reduce((sum, { count }) => sum + count, 0);
    const size = BigInt(Math.max(asked - this.#left(), this.#block));
    let first = 0n;
    const after = (value: bigint): bigint => {
      first = value < 1n ? 1n : value;
      if (first + size <= largest) return first + size;
      throw new ConflictError(`${this.#number.title}: the numbers of 64 bits are used up`);
    };
    const { title } = this.#number;
    try {
      await atOnce(this.#connection, `${title}: reserve`, (wait) => this.#number.replace(after, wait));
      this.#blocks.push({ next: first, end: first + size });
    } catch (error) {
      // Ahead of time nobody hears of it: whoever finds nothing in reserve tries again.
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    }
    this.#isReserving = false;
    if (this.#waiting.length > 0) this.#serve();
  }
}

/** @throws TypeError, RangeError */
function checkCount(count: number, what: string): number {
  if (typeof count !== 'number') throw new TypeError(`${what} must be a number`);
  if (Number.isInteger(count) && count >= 1 && count <= mostAtATime) return count;
  throw new RangeError(`${what} must be a whole number from 1 to ${mostAtATime}; got ${count}`);
}
