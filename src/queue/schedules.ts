import { encodeName } from '../base/keys.js';
import { checkOptions } from '../base/wait.js';
import { atOnce } from '../session/at-once.js';
import { onceInAnySession } from '../session/once.js';
import { compare, prefix, put } from '../store/operations.js';
import { calendarOf, checkTiming, type Timing } from './calendar.js';
import { checkValue } from './draft.js';
import { type Backoff, encode } from './job.js';
import { type CheckedQueueOptions, checkEnqueueOptions } from './queue-options.js';
import { removeOnce } from './remove-once.js';
import {
  type CatchUp,
  catchUps,
  type Definition,
  firedId,
  nameIn,
  type Schedule,
  scheduleIn,
  type ScheduleRecord,
  shownSchedule,
  successorOf,
} from './schedule.js';
import type { QueueParts } from './settle.js';

export interface ScheduleOptions {
  /** What becomes of instants at which nobody was there to fire. @default 'last' */
  readonly catchUp?: CatchUp;
  /** 0 to 9; jobs of a higher number are taken first. @default 0 */
  readonly priority?: number;
  /** How often a job may fail. @default as the queue says */
  readonly attempts?: number;
  /** @default as the queue says */
  readonly backoff?: Backoff;
  /** Jobs of one group share its concurrency limit: with 1, the default, a job waits for the one before to end. */
  readonly group?: string;
}

const optionNames = [
  'catchUp',
  'priority',
  'attempts',
  'backoff',
  'group',
] satisfies (keyof ScheduleOptions)[];

/** It is written twice by the transaction that fires. */
const maxValueBytes = 400_000;

/** See `Queue.schedule`. */
export class Schedules {
  readonly #parts: QueueParts;
  readonly #options: CheckedQueueOptions;

  constructor(parts: QueueParts, options: CheckedQueueOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  async put(name: string, timing: Timing, value: unknown, options: ScheduleOptions): Promise<Schedule> {
    const { connection, layout } = this.#parts;
    const definition = await this.#definition(name, timing, value, options);
    const key = layout.schedule(name);
    return this.#atOnce('schedule', async (signal) => {
      while (true) {
        const { kvs } = await connection.store.get(key, { signal });
        const [kv] = kvs;
        const old = kv && scheduleIn(kv);
        const record = successorOf(old, definition, connection.runtime.wallNow());
        if (record === old) return this.#shown(name, record);
        const { isDone } = await onceInAnySession(
          connection,
          {
            if: [compare.modRevision(key, '=', kv?.modRevision ?? 0n)],
            then: [put(key, encode(record))],
          },
          signal,
        );
        if (isDone) return this.#shown(name, record);
      }
    });
  }

  async remove(name: string): Promise<boolean> {
    const { connection, layout } = this.#parts;
    const key = layout.schedule(name); // a bad name is an error before any I/O
    return this.#atOnce('unschedule', async (signal) => {
      const { kvs } = await connection.store.get(key, { signal });
      return kvs[0] ? removeOnce(this.#parts, kvs[0], signal) : false;
    });
  }

  async list(): Promise<readonly Schedule[]> {
    const { connection, layout } = this.#parts;
    connection.closing.throwIfAborted();
    const { kvs } = await connection.store.get(prefix(layout.schedules));
    const shown: Schedule[] = [];
    for (const kv of kvs) {
      const record = scheduleIn(kv);
      if (record) shown.push(await this.#shown(nameIn(kv, layout.schedules), record));
    }
    return shown;
  }

  /** No I/O. */
  async #definition(
    name: string,
    when: Timing,
    value: unknown,
    options: ScheduleOptions,
  ): Promise<Definition> {
    const { connection, layout } = this.#parts;
    const what = `${layout.title}: schedule ${JSON.stringify(name)}`;
    encodeName(name);
    encodeName(firedId(name, 0)); // it becomes part of ids
    checkOptions(options, optionNames, what);
    const { catchUp = 'last', ...forJobs } = options;
    if (!catchUps.includes(catchUp))
      throw new RangeError(
        `${what}: catchUp must be one of ${catchUps.join(', ')}; got ${JSON.stringify(catchUp)}`,
      );
    const now = connection.runtime.wallNow();
    const { priority, attempts, backoff, group } = checkEnqueueOptions(forJobs, this.#options, now, what);
    const timing = await checkTiming(when, now, what);
    connection.closing.throwIfAborted();
    await checkValue(this.#options, value, maxValueBytes, `value for ${what}`);
    const job = { value, priority, attempts, backoff, ...(group !== undefined && { group }) };
    return { timing, catchUp, job };
  }

  async #shown(name: string, record: ScheduleRecord): Promise<Schedule> {
    const { connection, layout } = this.#parts;
    const after = Math.max(record.upTo, connection.runtime.wallNow());
    const next = await calendarOf(record.timing, record.since, layout.title).then(
      (calendar) => calendar.next(after),
      () => undefined,
    );
    return shownSchedule(name, record, next);
  }

  #atOnce<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { connection, layout } = this.#parts;
    return atOnce(connection, `${layout.title}: ${what}`, ({ signal }) => work(signal));
  }
}
