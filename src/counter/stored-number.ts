import type { Connection } from '../session/connection.js';
import { onceInAnySession } from '../session/once.js';
import { compare, get, put } from '../store/operations.js';
import { kvsOf } from '../session/ticket.js';
import type { KeyValue } from '../store/results.js';
import { retry } from '../store/retry.js';
import type { Wait } from '../base/wait.js';
import { readNumber } from './number-value.js';

/** What is known of it, as of the last answer. */
interface Known {
  readonly value: bigint;
  /** 0n: there is no such key. */
  readonly modRevision: bigint;
}

const nothing: Known = { value: 0n, modRevision: 0n };

/** The new value, worked out from the old one; undefined: leave it. */
type Next = (value: bigint) => bigint | undefined;

/**
 * A number under a key, changed by many processes at the same time. Each change is done once, whatever becomes of its answer: it
 * compares what it replaces and carries a receipt.
 */
export class StoredNumber {
  readonly key: string;
  readonly title: string;
  readonly #connection: Connection;
  #known = nothing;

  constructor(connection: Connection, key: string, title: string) {
    this.#connection = connection;
    this.key = key;
    this.title = title;
  }

  /** One read. @throws ConflictError if it is no number */
  async read(): Promise<{ readonly value: bigint; readonly revision: bigint }> {
    this.#connection.closing.throwIfAborted();
    const { kvs, header } = await this.#connection.store.get(this.key);
    return { value: this.#learn(kvs[0]).value, revision: header.revision };
  }

  /**
   * Replaces the value by another one, worked out from it. One round trip if nobody else has changed it since the last answer to this
   * process; one more each time somebody has.
   *
   * @param next may be asked several times, and throw: then nothing is done
   * @returns whether it was replaced
   */
  async replace(next: Next, wait: Wait): Promise<boolean> {
    let refusals = 0;
    return retry(this.#connection.runtime, () => this.#attempt(next, wait.signal), {
      ...{ signal: wait.signal, minDelayMs: 4, maxDelayMs: 200 },
      again: (error) => {
        if (error !== refused) return false;
        wait.obstacle = `; ${++refusals} times somebody else was faster`;
        return !wait.signal.aborted;
      },
    });
  }

  /** Writes it, whatever it was. */
  async overwrite(value: bigint, wait: Wait): Promise<void> {
    const result = await onceInAnySession(
      this.#connection,
      { if: [], then: [put(this.key, String(value))] },
      wait.signal,
    );
    this.#known = { value, modRevision: result.revision };
  }

  async #attempt(next: Next, signal: AbortSignal): Promise<boolean> {
    // That it has changed since the last time is no contention: at once once more.
    const isReplaced = (await this.#try(next, signal)) ?? (await this.#try(next, signal));
    if (isReplaced === undefined) throw refused;
    return isReplaced;
  }

  /** @returns undefined if somebody else was faster; what there is now is known then */
  async #try(next: Next, signal: AbortSignal): Promise<boolean | undefined> {
    let { value: before, modRevision } = this.#known;
    let value = next(before);
    if (value === undefined) {
      // By what it was last time; that may be old news.
      const { kvs } = await this.#connection.store.get(this.key, { signal });
      ({ value: before, modRevision } = this.#learn(kvs[0]));
      value = next(before);
      if (value === undefined) return false;
    }
    const result = await onceInAnySession(
      this.#connection,
      {
        if: [compare.modRevision(this.key, '=', modRevision)],
        then: [put(this.key, String(value))],
        else: [get(this.key)],
      },
      signal,
    );
    if (result.isDone) {
      this.#known = { value, modRevision: result.revision };
    } else {
      // What was compared is wrong, also if it looks newer: the store may have been restored from a snapshot.
      if (this.#known.modRevision === modRevision) this.#known = nothing;
      this.#learn(kvsOf(result.responses)[0]);
    }
    return result.isDone ? true : undefined;
  }

  #learn(kv: KeyValue | undefined): Known {
    const known = { value: readNumber(kv, this.title), modRevision: kv?.modRevision ?? 0n };
    // Answers may overtake each other.
    if (known.modRevision >= this.#known.modRevision || kv === undefined) this.#known = known;
    return known;
  }
}

/** Thrown to try again with what is there now. */
const refused = new Error('somebody else was faster');
