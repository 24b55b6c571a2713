import { ConflictError } from '../base/errors.js';
import { counterKey } from '../base/keys.js';
import { checkOptions } from '../base/wait.js';
import { atOnce } from '../session/at-once.js';
import type { Connection } from '../session/connection.js';
import { Line } from '../session/line.js';
import { lineHistory } from '../session/line-history.js';
import { checkInteger, isInRange, readNumber } from './number-value.js';
import { StoredNumber } from './stored-number.js';

/** What a counter stands at, at one revision of the store. */
export interface CounterState {
  readonly value: bigint;
  readonly revision: bigint;
}

interface Addition {
  readonly amount: bigint;
  readonly resolve: (value: bigint) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A number that every process that uses the same name can add to. It begins with 0 and stays until somebody removes its key.
 *
 * Guarantees:
 * - What was added is counted once, whatever becomes of an answer, a session or a process. Each `add` resolves with the value right
 *   after it: no two get the same one, if all add 1.
 * - Exact, as a bigint, within signed 64 bits.
 *
 * Additions of one object that come while others are under way go together, in one transaction; each gets a value of its own.
 */
export class Counter {
  readonly #connection: Connection;
  readonly #number: StoredNumber;
  #waiting: Addition[] = [];
  #isBusy = false;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name */
  constructor(connection: Connection, name: string) {
    this.#connection = connection;
    const key = counterKey(connection.namespace, name);
    this.#number = new StoredNumber(connection, key, `counter ${JSON.stringify(name)}`);
  }

  /**
   * Adds to it. One round trip, and one more if another process has changed it since this one last did.
   *
   * @param amount may be negative @default 1
   * @returns the value after that
   * @throws UnavailableError, nothing was added; OutcomeUnknownError if it could not be found out in time whether it was
   * @throws ConflictError if the sum would not fit into 64 bits, or if what is stored is no number; AuthError; ClosedError;
   * TypeError, RangeError for a bad amount
   */
  async add(amount: bigint | number = 1n): Promise<bigint> {
    const checked = checkInteger(amount, 'amount');
    return new Promise((resolve, reject) => {
      this.#waiting.push({ amount: checked, resolve, reject });
      if (!this.#isBusy) void this.#drain();
    });
  }

  /** One read. Needs no session. @throws ConflictError if what is stored is no number; UnavailableError */
  async get(): Promise<CounterState> {
    return this.#number.read();
  }

  /**
   * Sets it to `value` if it stands at `expected`.
   *
   * @returns whether it did
   * @throws as `add`
   */
  async compareAndSet(expected: bigint | number, value: bigint | number): Promise<boolean> {
    const [from, to] = [checkInteger(expected, 'expected'), checkInteger(value, 'value')];
    return atOnce(this.#connection, `${this.#number.title}: compareAndSet`, (wait) =>
      this.#number.replace((present) => (present === from ? to : undefined), wait),
    );
  }

  /** Sets it, whatever it was. One round trip. @throws as `add` */
  async set(value: bigint | number): Promise<void> {
    const checked = checkInteger(value, 'value');
    const what = `${this.#number.title}: set`;
    return atOnce(this.#connection, what, (wait) => this.#number.overwrite(checked, wait));
  }

  /**
   * What it stands at, now and whenever that changes, in order; of changes that the store has compacted away before they were told, the
   * last one only. Goes on while the store is away.
   *
   * @throws the signal's reason; ConflictError if what is stored is no number; ClosedError; AuthError
   */
  async *observe(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<CounterState, void, undefined> {
    const { key, title } = this.#number;
    checkOptions(options, ['signal'], `${title}: observe`);
    const line = new Line({ prefix: key, isOneKey: true, title });
    let last: bigint | undefined;
    for await (const { settings, revision } of lineHistory(this.#connection, line, {
      signal: options.signal,
    })) {
      const value = readNumber(settings[0], title);
      if (value === last) continue;
      last = value;
      yield { value, revision };
    }
  }

  async #drain(): Promise<void> {
    this.#isBusy = true;
    await Promise.resolve(); // for whatever else is added right now
    while (this.#waiting.length > 0) {
      const additions = this.#waiting.splice(0);
      try {
        await this.#addAll(additions);
      } catch (error) {
        for (const { reject } of additions) reject(error);
      }
    }
    this.#isBusy = false;
  }

  /** One after the other, in one transaction. Who would leave the range is left out. */
  async #addAll(additions: readonly Addition[]): Promise<void> {
    let sums: readonly (bigint | undefined)[] = [];
    const next = (value: bigint): bigint | undefined => {
      let sum = value;
      sums = additions.map(({ amount }) => (isInRange(sum + amount) ? (sum += amount) : undefined));
      return sums.every((each) => each === undefined) ? undefined : sum;
    };
    const { title } = this.#number;
    await atOnce(this.#connection, `${title}: add`, (wait) => this.#number.replace(next, wait));
    additions.forEach(({ amount, resolve, reject }, i) => {
      const sum = sums[i];
      if (sum !== undefined) resolve(sum);
      else
        reject(
          new ConflictError(`${title}: with ${amount} it would not fit into 64 bits; nothing was added`),
        );
    });
  }
}
