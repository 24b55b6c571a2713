import { toText } from '../base/bytes.js';
import { encodeName } from '../base/keys.js';
import { toDate } from '../base/runtime.js';
import { ConflictError, isConclaveError } from '../base/errors.js';
import { atOnce } from '../session/at-once.js';
import { onceInAnySession } from '../session/once.js';
import { compare, prefix, remove } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import type { KeyValue } from '../store/results.js';
import { decode, freshRecord, type JobBody } from './job.js';
import { aboveFloors, floorReads, landingPlace, lanesOfAll, putJob } from './landing.js';
import { idIn } from './lane.js';
import type { DeadReason, DeadRecord } from './moves.js';
import { removeOnce } from './remove-once.js';
import type { QueueParts } from './settle.js';

/** A job that nobody tries again by itself. */
export interface DeadLetter {
  readonly id: string;
  /** As it was enqueued; not checked by the schema of the queue. */
  readonly value: unknown;
  /**
   * - `failed`: its last attempt has, or its handler has said that it has failed for good.
   * - `crashed`: too many workers were lost over it (`maxCrashes`).
   * - `expired`: its turn came after `expiresAt`.
   * - `unreadable`: its value does not pass the schema, or what is stored of it is not ours.
   */
  readonly reason: DeadReason;
  /** The latest. */
  readonly error: string | undefined;
  /** How often it was tried: failures, and workers that were lost. */
  readonly attempts: number;
  /** By the clock of whoever enqueued it; 1970 if that cannot be read any more. */
  readonly enqueuedAt: Date;
  /** By the clock of whoever gave up on it; 1970 if that cannot be read any more. */
  readonly diedAt: Date;
}

/** Read at a time; values may be large. */
const pageSize = 16;
const bytesPerTransaction = 1_000_000;

/**
 * What has become of jobs that failed for good. They stay until somebody retries or drops them; an id that is a dead
 * letter cannot be enqueued again.
 *
 * Guarantees: `retry` and `drop` are done once or not at all, whatever becomes of answers; of several that do so at a time,
 * in any process, one is told `true`. A late copy does nothing: it compares what it has found.
 */
export class DeadLetters {
  readonly #parts: QueueParts;
  readonly #onGroup: (group: string) => void;

  /** @internal @param onGroup told of groups that have jobs ready to pass */
  constructor(parts: QueueParts, onGroup: (group: string) => void) {
    this.#parts = parts;
    this.#onGroup = onGroup;
  }

  /**
   * All of them, ordered by id, read page by page as they are asked for: each page as it is then.
   *
   * @throws UnavailableError, ClosedError, AuthError
   */
  async *list(): AsyncGenerator<DeadLetter, void, undefined> {
    for await (const page of this.#pages()) yield* page.map(letterIn);
  }

  /** undefined if there is no such dead letter. @throws as `list`; TypeError, RangeError for a bad id */
  async get(id: string): Promise<DeadLetter | undefined> {
    const { connection, layout } = this.#parts;
    connection.closing.throwIfAborted();
    const { kvs } = await connection.store.get(layout.deadOf(id));
    return kvs[0] && letterIn(kvs[0]);
  }

  /**
   * Puts it back, as if it had just been enqueued: at the end of its lane, with all its attempts before it, and without the
   * time after which it was of no use.
   *
   * @returns false if there is no such dead letter (any more)
   * @throws ConflictError if it cannot be read; ResourceExhaustedError, UnavailableError: it is where it was;
   * OutcomeUnknownError: call again
   */
  async retry(id: string): Promise<boolean> {
    encodeName(id); // a bad id is an error before any I/O
    return this.#atOnce('retry', async (signal) => {
      while (true) {
        const [letter] = await this.#read(id, signal);
        if (!letter) return false;
        if (!deadIn(letter))
          throw new ConflictError(`dead letter ${JSON.stringify(id)} cannot be read: drop it`);
        if (await this.#retry([letter], signal)) return true;
      }
    });
  }

  /**
   * Puts all of them back, but those that cannot be read; page by page, those of a page in one transaction or in a few. What
   * becomes a dead letter meanwhile may be left out.
   *
   * @returns how many
   * @throws as `retry`: those before are back
   */
  async retryAll(): Promise<number> {
    let count = 0;
    for await (const page of this.#pages()) {
      for (const some of transactions(page.filter(isReadable))) count += await this.#retryThose(some);
    }
    return count;
  }

  /** Deletes it for good; its id may be enqueued again. @returns false if there is none @throws as `retry` */
  async drop(id: string): Promise<boolean> {
    encodeName(id);
    return this.#atOnce('drop', async (signal) => {
      const [letter] = await this.#read(id, signal);
      return letter ? removeOnce(this.#parts, letter, signal) : false;
    });
  }

  /** All at once; those that have changed meanwhile one by one. @returns how many */
  async #retryThose(letters: readonly KeyValue[]): Promise<number> {
    if (await this.#atOnce('retryAll', (signal) => this.#retry(letters, signal))) return letters.length;
    let count = 0;
    for (const { key } of letters) if (await this.retry(idIn(toText(key)))) count++;
    return count;
  }

  /** All or none. @returns false if something has changed since: look again */
  async #retry(letters: readonly KeyValue[], signal: AbortSignal): Promise<boolean> {
    const { connection, layout } = this.#parts;
    const jobs = letters.map(jobIn);
    const lanes = lanesOfAll(
      layout,
      jobs.map(({ body }) => body),
    );
    const { revision, results } = await readTogether(connection.store, floorReads(lanes), { signal });
    const floors = aboveFloors(lanes, results, revision);
    const puts = jobs.flatMap((job, i) =>
      putJob(layout, job, landingPlace(layout, job, revision, i), { ...freshRecord, because: 'retried' }),
    );
    const { isDone } = await onceInAnySession(
      connection,
      {
        if: [...letters.map((kv) => compare.modRevision(kv.key, '=', kv.modRevision)), ...floors.if],
        then: [...letters.map(({ key }) => remove(key)), ...floors.then, ...puts],
      },
      signal,
    );
    if (isDone) for (const { body } of jobs) if (body.group !== undefined) this.#onGroup(body.group);
    return isDone;
  }

  async #read(id: string, signal: AbortSignal): Promise<readonly KeyValue[]> {
    const { connection, layout } = this.#parts;
    return (await connection.store.get(layout.deadOf(id), { signal })).kvs;
  }

  async *#pages(): AsyncGenerator<readonly KeyValue[], void, undefined> {
    const { connection, layout } = this.#parts;
    const all = prefix(layout.dead);
    let rest = all;
    while (true) {
      connection.closing.throwIfAborted();
      const { kvs, more } = await connection.store.get(rest, { limit: pageSize });
      yield kvs;
      const last = kvs.at(-1);
      if (!last || !more) return;
      rest = { ...all, key: Buffer.concat([last.key, Buffer.of(0)]) };
    }
  }

  #atOnce<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { connection, layout } = this.#parts;
    return atOnce(connection, `${layout.title}: deadLetters.${what}`, ({ signal }) => work(signal));
  }
}

/** undefined if it is nothing of ours. @throws ConflictError if a newer version of this library wrote it */
function deadIn(kv: KeyValue): DeadRecord | undefined {
  const dead = decode(kv);
  return dead && 'body' in dead && 'record' in dead ? (dead as DeadRecord) : undefined;
}

function isReadable(kv: KeyValue): boolean {
  try {
    return deadIn(kv) !== undefined;
  } catch (error) {
    if (!isConclaveError(error, 'CONFLICT')) throw error;
    return false;
  }
}

/** Never throws: who lists them is to see all. */
function letterIn(kv: KeyValue): DeadLetter {
  const id = idIn(toText(kv.key));
  let because = 'what is stored of it was written by another program';
  try {
    const dead = deadIn(kv);
    if (dead) return readable(id, dead);
  } catch (error) {
    because = String(error);
  }
  return {
    id,
    value: toText(kv.value),
    reason: 'unreadable',
    error: because,
    attempts: 0,
    enqueuedAt: toDate(0),
    diedAt: toDate(0),
  };
}

function readable(id: string, { body, record, reason, at }: DeadRecord): DeadLetter {
  return {
    id,
    value: body.value,
    reason,
    error: record.error,
    attempts: record.failures + record.crashes,
    enqueuedAt: toDate(body.enqueuedAt),
    diedAt: toDate(at),
  };
}

/** The job as it is to be put anew. */
function jobIn(kv: KeyValue): { readonly id: string; readonly body: Omit<JobBody, 'place'> } {
  const dead = deadIn(kv);
  if (!dead) throw new TypeError('an unreadable dead letter was to be retried');
  const { value, priority, attempts, backoff, enqueuedAt, group, isNamed } = dead.body;
  const body = {
    ...{ value, priority, attempts, backoff, enqueuedAt },
    ...(group !== undefined && { group }),
    ...(isNamed && { isNamed }),
  };
  return { id: idIn(toText(kv.key)), body };
}

/** No more than one transaction can carry. */
function transactions(letters: readonly KeyValue[]): readonly (readonly KeyValue[])[] {
  const all: KeyValue[][] = [];
  let bytes = 0;
  for (const letter of letters) {
    bytes += letter.value.length;
    const last = all.at(-1);
    if (last && bytes <= bytesPerTransaction) {
      last.push(letter);
    } else {
      all.push([letter]);
      bytes = letter.value.length;
    }
  }
  return all;
}
