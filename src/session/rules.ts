import { ConflictError } from '../base/errors.js';
import { toText } from '../base/bytes.js';
import type { KeyValue } from '../store/results.js';
import { readContent } from './ticket-value.js';

/**
 * May this ticket pass now, given the older ones? Pure.
 *
 * Lemma: a rule looks only at older tickets, and what an older ticket demands never grows. Nobody can become older. So
 * once a rule has held at some revision at which my ticket stood, it holds for as long as my ticket stands: evidence may
 * be old, and may come from any member. A new rule must keep this: no younger ticket may ever forbid an older one.
 *
 * @param settings what else is stored with the line
 * @throws ConflictError if this ticket can never pass: whoever waits gives up, or it would block the line for ever
 */
export type Rule = (older: readonly KeyValue[], mine: KeyValue, settings: readonly KeyValue[]) => boolean;

/** Mutex, election, each line of a multi-lock: the oldest ticket holds. */
export const noOlderTicket: Rule = (older) => older.length === 0;

/**
 * Read/write lock: readers share, a writer is alone. A waiting writer keeps the readers behind it waiting, so it is not
 * starved.
 */
export const readersShare: Rule = (older, mine) =>
  isReader(mine) ? older.every(isReader) : older.length === 0;

/** Whatever does not say that it only reads counts as a writer. */
function isReader(ticket: KeyValue): boolean {
  return readContent(ticket)?.mode === 'read';
}

/** Semaphore: the permits of all older tickets and mine are within the limit. First come, first served. */
export const withinLimit: Rule = (older, mine, settings) => {
  const limit = limitIn(settings);
  if (limit === undefined)
    throw new ConflictError('the semaphore has no limit: it was never set, or somebody deleted it');
  const wanted = weightOf(mine);
  if (wanted > limit) {
    throw new ConflictError(
      `${wanted} permits are wanted, the semaphore's limit is ${limit}: they would never be free`,
    );
  }
  // No further than it takes: thousands may wait.
  let total = wanted;
  return older.every((ticket) => (total += weightOf(ticket)) <= limit);
};

/** At most so many: for lines whose limit each program brings along. While they disagree, the largest limit counts. */
export function amongTheFirst(limit: number): Rule {
  return (older) => older.length < limit;
}

/** How many permits a ticket takes. One that does not say (of another program) takes them all: the safe side. */
export function weightOf(ticket: KeyValue): number {
  return readContent(ticket)?.weight ?? Infinity;
}

export function totalWeight(tickets: readonly KeyValue[]): number {
  return tickets.reduce((sum, ticket) => sum + weightOf(ticket), 0);
}

/** Below a semaphore's prefix: how many permits there are. */
const limitName = 'limit';
/** Below a semaphore's prefix: how many were taken, or could be, when the limit was last changed. */
export const limitBefore = 'before';

/** The limit as stored beside the tickets; undefined if there is none, or if it is no number. */
export function limitIn(settings: readonly KeyValue[]): number | undefined {
  return countIn(settings, limitName);
}

/** When it was set; 0n if there is none. */
export function limitRevisionIn(settings: readonly KeyValue[]): bigint {
  return settingIn(settings, limitName)?.modRevision ?? 0n;
}

function settingIn(settings: readonly KeyValue[], name: string): KeyValue | undefined {
  return settings.find(({ key }) => toText(key).endsWith(`/${name}`));
}

function countIn(settings: readonly KeyValue[], name: string): number | undefined {
  const stored = settingIn(settings, name);
  if (!stored) return undefined;
  const text = toText(stored.value);
  const count = Number(text);
  // As we write it: takes compare the text.
  return Number.isInteger(count) && count > 0 && String(count) === text ? count : undefined;
}

/** What of a line one revision shows. */
export interface Standing {
  readonly tickets: readonly KeyValue[];
  readonly settings: readonly KeyValue[];
}

/** A line divided by its rule. */
export interface Division {
  readonly holders: readonly KeyValue[];
  readonly waiters: readonly KeyValue[];
}

/** Who holds and who waits, in the line's order. Those who can never pass wait, if only until they notice. */
export function divide(rule: Rule, { tickets, settings }: Standing): Division {
  return partition(tickets, (mine, older) => mayPass(rule, older, mine, settings));
}

/**
 * The same for permits, of which more may be taken than the limit allows since it was made smaller. Whether a ticket from
 * before was let pass then cannot be told from outside; it counts as a holder if it would have fitted.
 */
export function dividePermits({ tickets, settings }: Standing): Division {
  const before = countIn(settings, limitBefore) ?? 0;
  const changedAt = limitRevisionIn(settings);
  return partition(
    tickets,
    (mine, older) =>
      mayPass(withinLimit, older, mine, settings) ||
      (mine.createRevision < changedAt && totalWeight(older) + weightOf(mine) <= before),
  );
}

function partition(
  tickets: readonly KeyValue[],
  holds: (mine: KeyValue, older: readonly KeyValue[]) => boolean,
): Division {
  const holders: KeyValue[] = [];
  const waiters: KeyValue[] = [];
  tickets.forEach((mine, place) => (holds(mine, tickets.slice(0, place)) ? holders : waiters).push(mine));
  return { holders, waiters };
}

function mayPass(...[rule, older, mine, settings]: [Rule, ...Parameters<Rule>]): boolean {
  try {
    return rule(older, mine, settings);
  } catch (error) {
    if (error instanceof ConflictError) return false;
    throw error;
  }
}
