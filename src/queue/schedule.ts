import { toText } from '../base/bytes.js';
import { decodeName } from '../base/keys.js';
import { isoTime, toDate } from '../base/runtime.js';
import type { KeyValue } from '../store/results.js';
import type { Calendar, CheckedTiming } from './calendar.js';
import { type Backoff, decode, type JobBody } from './job.js';

/**
 * What becomes of instants at which nobody was there to fire, or that a clock has jumped over:
 *
 * - `none`: they are left out, if they are more than a minute past.
 * - `last`: the latest of them is made up for.
 * - `all`: each of them, one job after the other; of more than 100 the latest 100.
 */
export type CatchUp = 'none' | 'last' | 'all';

export const catchUps: readonly CatchUp[] = ['none', 'last', 'all'];
/** For `all`. */
export const maxCatchUp = 100;
/** What is later than this was missed: the next process has taken over from one that is lost by then. */
const lateMs = 60_000;

/** What a schedule is, without what has become of it. */
export interface Definition {
  readonly timing: CheckedTiming;
  readonly catchUp: CatchUp;
  readonly job: Pick<JobBody, 'value' | 'priority' | 'attempts' | 'backoff' | 'group'>;
}

/** What is stored of a schedule. All times are of the wall clock, milliseconds since 1970. */
export interface ScheduleRecord extends Definition {
  /** Intervals count from here. */
  readonly since: number;
  /** Instants up to this one are done with. */
  readonly upTo: number;
  /** The latest instant that has fired. */
  readonly last?: number;
}

/** A schedule, as `Queue.schedules` shows it. */
export interface Schedule {
  readonly name: string;
  readonly cron: string | undefined;
  /** undefined without `cron`. */
  readonly timeZone: string | undefined;
  readonly everyMs: number | undefined;
  readonly value: unknown;
  readonly catchUp: CatchUp;
  readonly priority: number;
  readonly attempts: number;
  readonly backoff: Required<Backoff>;
  readonly group: string | undefined;
  /** The latest instant that has fired. */
  readonly last: Date | undefined;
  /** The next one, by the clock of this process; undefined: never again, or that cannot be told by this version. */
  readonly next: Date | undefined;
}

/** undefined if it is nothing of ours. @throws ConflictError if a newer version of this library wrote it */
export function scheduleIn(kv: KeyValue): ScheduleRecord | undefined {
  const record = decode(kv);
  return record && 'timing' in record && 'job' in record ? (record as ScheduleRecord) : undefined;
}

/**
 * What to store for a definition, in the place of what was there: the same object if that says so already, so that every
 * process can put its schedules when it starts.
 *
 * With another timing it begins now; what was missed by the old one is not made up for. Never before what has fired: clocks
 * differ.
 */
export function successorOf(
  old: ScheduleRecord | undefined,
  { timing, catchUp, job }: Definition,
  now: number,
): ScheduleRecord {
  const fresh = { timing, catchUp, job };
  if (!old) return { ...fresh, since: now, upTo: now };
  if (textOf(old.timing) !== textOf(timing)) {
    const { last } = old;
    return { ...fresh, since: now, upTo: Math.max(now, last ?? 0), ...(last !== undefined && { last }) };
  }
  return textOf([old.catchUp, old.job]) === textOf([catchUp, job]) ? old : { ...old, ...fresh };
}

/** What is to be fired now, in order; and up to which instant that settles it. undefined if nothing is due. */
export function dueOf(
  { catchUp, upTo }: ScheduleRecord,
  calendar: Calendar,
  now: number,
): { readonly instants: readonly number[]; readonly upTo: number } | undefined {
  const instants = calendar.latest(catchUp === 'all' ? maxCatchUp : 1, upTo, now);
  const last = instants.at(-1);
  if (last === undefined) return undefined;
  return { instants: catchUp === 'none' && last < now - lateMs ? [] : instants, upTo: last };
}

/** The id of the job that a schedule puts for an instant. */
export function firedId(name: string, instant: number): string {
  return `${name}@${isoTime(instant)}`;
}

export function shownSchedule(name: string, record: ScheduleRecord, next: number | undefined): Schedule {
  const { timing, catchUp, job, last } = record;
  const { value, priority, attempts, backoff, group } = job;
  return {
    name,
    cron: 'cron' in timing ? timing.cron : undefined,
    timeZone: 'cron' in timing ? timing.timeZone : undefined,
    everyMs: 'everyMs' in timing ? timing.everyMs : undefined,
    ...{ value, catchUp, priority, attempts, backoff, group },
    last: last === undefined ? undefined : toDate(last),
    next: next === undefined ? undefined : toDate(next),
  };
}

export function nameIn({ key }: KeyValue, schedules: string): string {
  return decodeName(toText(key).slice(schedules.length));
}

/** Equal texts for what is stored equally: what was read was once text, too. */
function textOf(part: unknown): string {
  return JSON.stringify(part);
}
