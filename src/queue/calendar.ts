import { toDate } from '../base/runtime.js';
import { checkOptions } from '../base/wait.js';

/** When a schedule fires. */
export type Timing = CronTiming | IntervalTiming;

export interface CronTiming {
  /**
   * Minute, hour, day of the month, month, day of the week; a sixth field before them means seconds. Also `@daily` and the
   * like. If the days of the month and of the week are both given, either will do.
   */
  readonly cron: string;
  /**
   * Whose clock on the wall is meant, as `Europe/Berlin`. A time that a change of the clocks leaves out fires when they have
   * been changed; one that comes twice fires once, unless the hour is a `*`. @default 'UTC'
   */
  readonly timeZone?: string;
  readonly everyMs?: never;
}

export interface IntervalTiming {
  /** Counted from when the schedule was put, milliseconds; 1000 or more. The first is one interval after that. */
  readonly everyMs: number;
  readonly cron?: never;
  readonly timeZone?: never;
}

/** As it is stored. */
export type CheckedTiming =
  { readonly cron: string; readonly timeZone: string } | { readonly everyMs: number };

/** The instants of a schedule: wall clock, milliseconds since 1970. */
export interface Calendar {
  /** The first one after this time. */
  next(after: number): number | undefined;
  /** Those after `after` and up to `until`: the latest `count` of them, in order. Takes as long as their number wants, not all of them. */
  latest(count: number, after: number, until: number): readonly number[];
}

const minEveryMs = 1_000;
/** A hundred years: a Date can say no more than some thousands from now. */
const maxEveryMs = 100 * 366 * 86_400_000;
/** How far to look back at first for the latest instants of a cron expression. */
const firstLookMs = 60_000;

/** No I/O. @param now wall clock @throws TypeError, RangeError */
export async function checkTiming(timing: Timing, now: number, what: string): Promise<CheckedTiming> {
  checkOptions(timing, ['cron', 'timeZone', 'everyMs'], `${what}: when`);
  // From plain JavaScript it may be anything.
  const { cron, timeZone, everyMs }: { cron?: unknown; timeZone?: unknown; everyMs?: unknown } = timing;
  if ((cron === undefined) === (everyMs === undefined))
    throw new TypeError(`${what} needs { cron } or { everyMs }`);
  if (everyMs !== undefined) {
    if (timeZone !== undefined) throw new TypeError(`${what}: timeZone goes with cron, not with everyMs`);
    if (typeof everyMs !== 'number') throw new TypeError(`${what}: everyMs must be a number`);
    if (!Number.isInteger(everyMs) || everyMs < minEveryMs || everyMs > maxEveryMs)
      throw new RangeError(
        `${what}: everyMs must be a whole number from ${minEveryMs} to ${maxEveryMs}; got ${everyMs}`,
      );
    return { everyMs };
  }
  const checked = { cron: checkCron(cron, what), timeZone: checkTimeZone(timeZone, what) };
  if ((await cronCalendar(checked, what)).next(now) === undefined)
    throw new RangeError(`${what}: cron ${JSON.stringify(checked.cron)} never fires`);
  return checked;
}

/** @param since from when intervals count @throws RangeError for what another version of the parser has accepted */
export async function calendarOf(timing: CheckedTiming, since: number, what: string): Promise<Calendar> {
  return 'cron' in timing ? cronCalendar(timing, what) : intervalCalendar(timing.everyMs, since);
}

function checkCron(cron: unknown, what: string): string {
  if (typeof cron !== 'string') throw new TypeError(`${what}: cron must be a string`);
  const fields = cron.trim().split(/\s+/);
  // The parser takes dates and years as well.
  if (fields.length !== 5 && fields.length !== 6 && !(fields.length === 1 && fields[0]?.startsWith('@')))
    throw new RangeError(
      `${what}: cron ${JSON.stringify(cron)} must have five fields, or six, seconds first; or be as "@daily"`,
    );
  return fields.join(' ');
}

function checkTimeZone(timeZone: unknown = 'UTC', what: string): string {
  if (typeof timeZone !== 'string') throw new TypeError(`${what}: timeZone must be a string`);
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch (error) {
    throw new RangeError(`${what}: no such time zone: ${JSON.stringify(timeZone)}`, { cause: error });
  }
  return timeZone;
}

/** Loads the parser: who has no such schedule does not need it. */
async function cronCalendar(
  { cron, timeZone }: { readonly cron: string; readonly timeZone: string },
  what: string,
): Promise<Calendar> {
  const { Cron } = await import('croner');
  const parse = (): InstanceType<typeof Cron> => {
    try {
      return new Cron(cron, { paused: true, timezone: timeZone, mode: '5-or-6-parts' });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new RangeError(`${what}: cron ${JSON.stringify(cron)}: ${why}`, { cause: error });
    }
  };
  const parsed = parse();
  const next = (after: number): number | undefined => parsed.nextRun(toDate(after))?.getTime();
  const between = (after: number, until: number): readonly number[] => {
    const instants: number[] = [];
    for (let at = next(after); at !== undefined && at <= until; at = next(at)) instants.push(at);
    return instants;
  };
  return {
    next,
    latest: (count, after, until) => {
      for (let lookMs = firstLookMs; ; lookMs *= 4) {
        const from = Math.max(after, until - lookMs);
        const instants = between(from, until);
        if (instants.length >= count || from === after) return instants.slice(-count);
      }
    },
  };
}

function intervalCalendar(everyMs: number, since: number): Calendar {
  const at = (index: number): number => since + index * everyMs;
  const indexUpTo = (time: number): number => Math.max(0, Math.floor((time - since) / everyMs));
  return {
    next: (after) => at(indexUpTo(after) + 1),
    latest: (count, after, until) => {
      const last = indexUpTo(until);
      const first = Math.max(indexUpTo(after), last - count);
      return Array.from({ length: last - first }, (_, i) => at(first + 1 + i));
    },
  };
}
