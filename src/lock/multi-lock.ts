import type { Place } from '../base/keys.js';
import { Admission } from '../session/admission.js';
import type { Admitted } from '../session/admitted.js';
import type { Connection } from '../session/connection.js';
import { Hold } from '../session/hold.js';
import { Lock } from './lock.js';
import { exclusive, lockLine, mutexState, type MutexState } from './mutex.js';
import type { LockOptions } from './options.js';

/** Two operations in each line: the server takes 128 in one transaction. */
const maxNames = 60;
/** A lock delay needs two more. */
const maxNamesWithDelay = 30;

/** Who holds and who waits in each line, by name, all at one revision of the store. */
export type MultiLockState = ReadonlyMap<string, MutexState>;

/**
 * Several mutexes at once, all or nothing: it excludes the mutexes of the same names, and other multi-locks that share one
 * with it.
 *
 * Guarantees:
 * - One transaction takes a place in every line, so no two multi-locks wait for each other, in whatever order they name
 *   what they want, also within one process.
 * - First come, first served in every line. While it waits for one it keeps the others waiting.
 * - It is lost as a whole, if one of its tickets is.
 *
 * Not guaranteed: that nested locking cannot deadlock. Take everything at once. Otherwise as `Mutex`; `hold.guard()` covers
 * all lines, and one `fencingToken` is good for each of them.
 */
export class MultiLock extends Lock<MultiHold> {
  readonly #names: readonly string[];

  /** @internal No I/O. @throws TypeError, RangeError for bad names or options */
  constructor(connection: Connection, places: readonly Place[], options: LockOptions = {}) {
    if (!Array.isArray(places) || places.length === 0)
      throw new TypeError('a multi-lock needs a list of names');
    const byPrefix = new Map(
      places.map((place: Place) => {
        const line = lockLine(connection, place, options);
        return [line.prefix, { line, name: typeof place === 'string' ? place : place.path }] as const;
      }),
    );
    const prefixes = [...byPrefix.keys()].sort();
    const limit = options.lockDelayMs === undefined ? maxNames : maxNamesWithDelay;
    if (prefixes.length > limit) {
      throw new RangeError(
        `${prefixes.length} names are too many for one transaction of the store: ${limit} at most`,
      );
    }
    const nested = prefixes.find((prefix, i) => i > 0 && prefix.startsWith(prefixes[i - 1] ?? prefix));
    if (nested !== undefined)
      throw new TypeError(`${nested} lies within another line of the same multi-lock`);
    const lines = [...byPrefix.values()];
    const names = lines.map(({ name }) => name);
    const admission = new Admission(connection, {
      lines: lines.map(({ line }) => line),
      title: `multi-lock ${JSON.stringify(names)}`,
      isReentrant: options.reentrant ?? false,
    });
    super(admission, exclusive, (admitted) => new MultiHold(admitted));
    this.#names = names;
  }

  /** Who holds and who waits. One read. @throws ConflictError if a newer version of this library wrote a ticket */
  async inspect(): Promise<MultiLockState> {
    const states = await this.admission.read();
    return new Map(states.map((state, i) => [this.#names[i] ?? '', mutexState(state)]));
  }
}

/** A hold on every line of a multi-lock. `key` is the first of its keys. */
export class MultiHold extends Hold {
  /** One in each line, in the order in which they were named. */
  readonly keys: readonly string[];

  /** @internal */
  constructor(admitted: Admitted) {
    super(admitted);
    this.keys = admitted.ticket.spots.map(({ key }) => key);
  }
}
