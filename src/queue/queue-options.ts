import { encodeName } from '../base/keys.js';
import { toWallMs } from '../base/runtime.js';
import { checkSchema, type StandardSchema } from '../base/schema.js';
import { checkOptions, checkTimeout } from '../base/wait.js';
import type { Backoff } from './job.js';
import { priorities } from './layout.js';

export interface QueueOptions<Schema extends StandardSchema = StandardSchema> {
  /** Checks values when they are enqueued, and again when they are received. @default anything that JSON can carry */
  readonly schema?: Schema;
  /** How often a job may fail before it is a dead letter, unless it says so itself. @default 3 */
  readonly attempts?: number;
  /** The pause between attempts, unless the job says so itself. */
  readonly backoff?: Backoff;
  /** How many workers may be lost over a job before it is a dead letter. @default 3 */
  readonly maxCrashes?: number;
  /** How many jobs may wait or run; more are refused. Each program may name its own. @default Infinity */
  readonly maxSize?: number;
  /**
   * How many may run at a time, wherever. Each worker goes by its own number, so while two versions of a program disagree
   * the larger one counts. @default Infinity
   */
  readonly maxRunning?: number;
  /** How many jobs of one group may run at a time, or stand ready to. @default 1 */
  readonly groupConcurrency?: number;
  /**
   * How long results, and the ids given to finished jobs, are remembered, milliseconds: an id enqueued again within that
   * time is not a new job. 0: not at all. @default 3600000
   */
  readonly keepMs?: number;
}

export interface EnqueueOptions {
  /**
   * A job of this id is put only once, however often this is called, until `keepMs` after its end, and as long as it is a dead
   * letter. For producers that may have to repeat themselves. @default a new one
   */
  readonly id?: string;
  /** 0 to 9; jobs of a higher number are taken first. @default 0 */
  readonly priority?: number;
  /** Not before this time: a Date, or milliseconds since 1970. @default at once */
  readonly runAt?: Date | number;
  /** The same, counted from now, milliseconds. Instead of `runAt`. @default 0 */
  readonly delayMs?: number;
  /** Of no use to begin with after this time; it becomes a dead letter when its turn comes. @default never */
  readonly expiresAt?: Date | number;
  /** How often it may fail. @default as the queue says */
  readonly attempts?: number;
  /** @default as the queue says */
  readonly backoff?: Backoff;
  /** Jobs of one group share its concurrency limit, and do not get in the way of others. A tenant, for example. */
  readonly group?: string;
}

const enqueueOptionNames = [
  'id',
  'priority',
  'runAt',
  'delayMs',
  'expiresAt',
  'attempts',
  'backoff',
  'group',
] satisfies (keyof EnqueueOptions)[];

export type CheckedQueueOptions = Required<Omit<QueueOptions, 'schema' | 'backoff'>> & {
  readonly schema: StandardSchema | undefined;
  readonly backoff: Required<Backoff>;
};

const queueOptionNames = [
  'schema',
  'attempts',
  'backoff',
  'maxCrashes',
  'maxSize',
  'maxRunning',
  'groupConcurrency',
  'keepMs',
] satisfies (keyof QueueOptions)[];

const defaultBackoff: Required<Backoff> = { minMs: 1_000, maxMs: 3_600_000 };

/** @throws TypeError, RangeError */
export function checkQueueOptions(options: QueueOptions, what: string): CheckedQueueOptions {
  checkOptions(options, queueOptionNames, what);
  const { schema, attempts = 3, maxCrashes = 3, groupConcurrency = 1 } = options;
  const { maxSize = Infinity, maxRunning = Infinity, keepMs = 3_600_000 } = options;
  if (schema !== undefined) checkSchema(schema, `${what}: schema`);
  checkTimeout(keepMs, `${what}: keepMs`);
  if (keepMs === Infinity || (keepMs > 0 && keepMs < 1_000))
    throw new RangeError(`${what}: keepMs must be 0, or from 1000 on; got ${keepMs}`);
  return {
    schema,
    attempts: checkCount(attempts, `${what}: attempts`),
    backoff: checkBackoff(options.backoff ?? {}, defaultBackoff, what),
    maxCrashes: checkCount(maxCrashes, `${what}: maxCrashes`),
    maxSize: maxSize === Infinity ? maxSize : checkCount(maxSize, `${what}: maxSize`),
    maxRunning: maxRunning === Infinity ? maxRunning : checkCount(maxRunning, `${what}: maxRunning`),
    groupConcurrency: checkCount(groupConcurrency, `${what}: groupConcurrency`),
    keepMs,
  };
}

export type CheckedEnqueueOptions = Omit<EnqueueOptions, 'runAt' | 'delayMs' | 'expiresAt' | 'backoff'> & {
  readonly priority: number;
  readonly attempts: number;
  readonly backoff: Required<Backoff>;
  readonly runAt: number | undefined;
  readonly expiresAt: number | undefined;
};

/** @param now wall clock @throws TypeError, RangeError */
export function checkEnqueueOptions(
  options: EnqueueOptions,
  defaults: CheckedQueueOptions,
  now: number,
  what: string,
): CheckedEnqueueOptions {
  checkOptions(options, enqueueOptionNames, what);
  const { id, group, priority = 0, attempts = defaults.attempts, delayMs } = options;
  if (delayMs !== undefined && options.runAt !== undefined)
    throw new TypeError(`${what}: either runAt or delayMs`);
  if (delayMs !== undefined && !(Number.isFinite(delayMs) && delayMs >= 0))
    throw new RangeError(`${what}: delayMs must be 0 or more; got ${String(delayMs)}`);
  if (id !== undefined) checkName(id, `${what}: id`);
  if (group !== undefined) checkName(group, `${what}: group`);
  if (!priorities.includes(priority))
    throw new RangeError(`${what}: priority must be a whole number from 0 to 9; got ${String(priority)}`);
  return {
    ...(id !== undefined && { id }),
    ...(group !== undefined && { group }),
    priority,
    attempts: checkCount(attempts, `${what}: attempts`),
    backoff: checkBackoff(options.backoff ?? {}, defaults.backoff, what),
    runAt: checkTime(delayMs === undefined ? options.runAt : now + delayMs, `${what}: runAt`),
    expiresAt: checkTime(options.expiresAt, `${what}: expiresAt`),
  };
}

/** @throws TypeError, RangeError unless it is a whole number, 1 or more */
export function checkCount(count: number, what: string): number {
  if (typeof count !== 'number') throw new TypeError(`${what} must be a number`);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new RangeError(`${what} must be a whole number, 1 or more; got ${count}`);
  return count;
}

function checkName(name: string, what: string): void {
  try {
    encodeName(name);
  } catch (error) {
    const { message } = error as Error;
    throw error instanceof RangeError
      ? new RangeError(`${what}: ${message}`)
      : new TypeError(`${what}: ${message}`);
  }
}

function checkBackoff(backoff: Backoff, defaults: Required<Backoff>, what: string): Required<Backoff> {
  checkOptions(backoff, ['minMs', 'maxMs'], `${what}: backoff`);
  const minMs = checkTimeout(
    backoff.minMs ?? Math.min(defaults.minMs, backoff.maxMs ?? Infinity),
    `${what}: backoff.minMs`,
  );
  const maxMs = checkTimeout(backoff.maxMs ?? Math.max(defaults.maxMs, minMs), `${what}: backoff.maxMs`);
  if (maxMs === Infinity) throw new RangeError(`${what}: backoff.maxMs must be finite`);
  if (minMs > maxMs) throw new RangeError(`${what}: backoff.minMs is more than backoff.maxMs`);
  return { minMs, maxMs };
}

/** @returns milliseconds since 1970 */
function checkTime(time: Date | number | undefined, what: string): number | undefined {
  if (time === undefined) return undefined;
  const ms = toWallMs(time);
  if (ms === undefined) throw new TypeError(`${what} must be a Date, or milliseconds since 1970`);
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15)
    throw new RangeError(`${what} is no time: ${String(time)}`);
  return ms;
}
