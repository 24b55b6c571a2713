import { toText } from '../base/bytes.js';
import { decodeName } from '../base/keys.js';
import { toDate } from '../base/runtime.js';
import { type Holder, readContent } from '../session/ticket-value.js';
import type { StoreEvent } from '../store/results.js';
import { attemptOf, bodyIn, decode, type JobRecord, recordIn } from './job.js';
import type { QueueLayout } from './layout.js';
import type { DeadReason } from './moves.js';
import { asDead, asEnd } from './wait-for.js';

/** What has happened to a job. Attempts count from 1, times are by the clock of whoever did it. */
export type JobHappening = { readonly id: string } & (
  | {
      readonly kind: 'enqueued';
      readonly priority: number;
      readonly group: string | undefined;
      /** When it may begin, if not at once. */
      readonly until: Date | undefined;
    }
  /** A worker has taken it. */
  | {
      readonly kind: 'started';
      readonly attempt: number;
      readonly holder: Holder | undefined;
      readonly fencingToken: bigint;
    }
  | { readonly kind: 'progress'; readonly value: unknown }
  | { readonly kind: 'completed'; readonly result: unknown }
  /** The attempt has failed; it waits for another one. */
  | {
      readonly kind: 'retrying';
      readonly attempt: number;
      readonly error: string | undefined;
      readonly until: Date | undefined;
    }
  /** Its worker has given it back: the attempt does not count. */
  | { readonly kind: 'returned' }
  /** The worker of this attempt was lost; it waits for another one. */
  | { readonly kind: 'crashed'; readonly attempt: number }
  /** It has become a dead letter. */
  | { readonly kind: 'dead'; readonly reason: DeadReason; readonly error: string | undefined }
  /** A dead letter waits for a worker again. */
  | { readonly kind: 'retried' }
  /** A dead letter is gone. */
  | { readonly kind: 'dropped' }
  /** Somebody wants it to stop while it runs; how it ends is told when it does. */
  | { readonly kind: 'cancelling' }
  | { readonly kind: 'cancelled' }
);

/** What has happened to a queue. */
export type QueueHappening = JobHappening | { readonly kind: 'paused' } | { readonly kind: 'resumed' };

/** The changes of one revision to the keys of one job. */
interface Changes {
  job?: StoreEvent;
  active?: StoreEvent;
  claim?: StoreEvent;
  dead?: StoreEvent;
  result?: StoreEvent;
  cancel?: StoreEvent;
  /** Where it waits from now on. */
  waits?: StoreEvent;
  /** It has left the place where it waited. */
  left?: StoreEvent;
}

/**
 * What the changes of one whole revision mean. Each transaction of a queue does one thing to a job, and which keys it puts
 * and removes tells what: see `moves.ts`, `settle.ts` and `claim.ts`. What moves on by itself (its time has come, its group
 * has a free slot) is nothing to tell of, nor is what is no longer remembered.
 *
 * @throws ConflictError if a newer version of this library wrote it
 */
export function happeningsIn(layout: QueueLayout, events: readonly StoreEvent[]): readonly QueueHappening[] {
  const jobs = new Map<string, Changes>();
  const happenings: QueueHappening[] = [];
  for (const event of events) {
    const key = toText(event.kv.key);
    if (key === layout.paused) {
      if (event.type === 'delete') happenings.push({ kind: 'resumed' });
      else if (event.kv.version === 1n) happenings.push({ kind: 'paused' });
      continue;
    }
    const place = placeIn(layout, key, event.type);
    if (!place) continue;
    const changes = jobs.get(place.id) ?? {};
    changes[place.part] = event;
    jobs.set(place.id, changes);
  }
  for (const [id, changes] of jobs) {
    const happening = happeningIn(layout, id, changes);
    if (happening) happenings.push(happening);
  }
  return happenings;
}

function placeIn(
  { prefix }: QueueLayout,
  key: string,
  type: StoreEvent['type'],
): { readonly id: string; readonly part: keyof Changes } | undefined {
  const [area, ...path] = key.slice(prefix.length).split('/');
  const [first = ''] = path;
  switch (area) {
    case 'job':
    case 'dead':
    case 'result':
    case 'cancel':
      return { id: decodeName(first), part: area };
    case 'active':
      return { id: decodeName(first), part: path.length > 1 ? 'claim' : 'active' };
    case 'ready':
    case 'group':
    case 'delayed':
      return { id: decodeName(path.at(-1) ?? ''), part: type === 'delete' ? 'left' : 'waits' };
    case undefined:
    default:
      return undefined;
  }
}

function happeningIn(layout: QueueLayout, id: string, changes: Changes): JobHappening | undefined {
  const { job, active, claim, dead, result, cancel, waits } = changes;
  if (job?.type === 'put') {
    if (dead?.type === 'delete') return { id, kind: 'retried' };
    const { priority = 0, group } = bodyIn(job.kv) ?? {};
    return { id, kind: 'enqueued', priority, group, until: timeIn(layout, waits) };
  }
  if (active?.type === 'put') {
    const { holder } = (decode(active.kv) ?? {}) as { holder?: Holder };
    const attempt = attemptOf(recordIn(active.kv));
    return { id, kind: 'started', attempt, holder, fencingToken: active.kv.modRevision };
  }
  if (dead?.type === 'put') {
    const { reason, error } = asDead(dead.kv);
    return { id, kind: 'dead', reason, error };
  }
  if (result?.type === 'put') {
    const end = asEnd(result.kv);
    return end.state === 'completed'
      ? { id, kind: 'completed', result: end.result }
      : { id, kind: 'cancelled' };
  }
  if (job) return endWithoutTrace(id, changes);
  if (active && waits) return waitsAgain(layout, id, waits);
  if (claim?.type === 'put' && claim.kv.version > 1n)
    return { id, kind: 'progress', value: readContent(claim.kv)?.progress };
  if (cancel?.type === 'put' && cancel.kv.version === 1n) return { id, kind: 'cancelling' };
  if (dead) return { id, kind: 'dropped' };
  return undefined;
}

/** Nothing is kept of how it ended. Whoever deletes only its body, by other means, has done nothing we could name. */
function endWithoutTrace(id: string, { active, cancel, left }: Changes): JobHappening | undefined {
  if (!active) return left && { id, kind: 'cancelled' };
  return cancel ? { id, kind: 'cancelled' } : { id, kind: 'completed', result: undefined };
}

function waitsAgain(layout: QueueLayout, id: string, waits: StoreEvent): JobHappening {
  const record = recordIn(waits.kv);
  const { because, error } = record;
  const attempt = endedAttempt(record);
  if (because === 'failed') return { id, kind: 'retrying', attempt, error, until: timeIn(layout, waits) };
  return because === 'crashed' ? { id, kind: 'crashed', attempt } : { id, kind: 'returned' };
}

/** The attempt that the record has just counted. */
function endedAttempt(record: JobRecord): number {
  return attemptOf(record) - 1;
}

/** Of a job that waits for a time: which. */
function timeIn({ delayed }: QueueLayout, waits: StoreEvent | undefined): Date | undefined {
  const key = waits ? toText(waits.kv.key) : '';
  return key.startsWith(delayed) ? toDate(Number.parseInt(key.slice(delayed.length), 16)) : undefined;
}
