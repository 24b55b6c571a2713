import { encode, type JobBody, type JobRecord } from './job.js';
import type { QueueLayout } from './layout.js';
import { type Compare, type Op, put, remove } from '../store/operations.js';

/** A job, as whoever is to move it knows it. */
export interface KnownJob {
  readonly id: string;
  readonly body: JobBody;
  readonly record: JobRecord;
}

/** What a transaction that puts a job somewhere else consists of, besides removing it where it was. */
export interface Move {
  readonly if: readonly Compare[];
  readonly then: readonly Op[];
}

/** Why a job is a dead letter. */
export type DeadReason = 'failed' | 'crashed' | 'expired' | 'unreadable';

/** What is stored of a dead letter. */
export interface DeadRecord {
  readonly body: JobBody;
  readonly record: JobRecord;
  readonly reason: DeadReason;
  /** Wall clock, milliseconds since 1970. */
  readonly at: number;
}

/** How a job has ended, as stored for a while. */
export interface EndRecord {
  readonly state: 'completed' | 'cancelled';
  readonly result?: unknown;
  readonly at: number;
}

/**
 * To the end of its lane.
 *
 * @param revision read after the job was found; refused if it is not above the floor
 * @param index among those that are put by one transaction
 */
export function toReady(
  layout: QueueLayout,
  { id, body, record }: KnownJob,
  revision: bigint,
  index = 0,
): Move {
  const lane = layout.ready.lane(body.priority);
  const key = lane.keyOf(revision, index, id);
  return { if: [lane.isAbove(revision)], then: [put(key, encode(record)), put(layout.placeOf(id), key)] };
}

/** To the end of those that wait for a slot of their group. */
export function toGroup(
  layout: QueueLayout,
  { id, body, record }: KnownJob,
  group: string,
  revision: bigint,
  index = 0,
): Move {
  const lane = layout.group(group).lane(body.priority);
  const key = lane.keyOf(revision, index, id);
  return { if: [lane.isAbove(revision)], then: [put(key, encode(record)), put(layout.placeOf(id), key)] };
}

/** Until a time of the wall clock. Others of its group may go on. */
export function toDelayed(layout: QueueLayout, { id, body, record }: KnownJob, due: number): Move {
  const key = layout.delayedAt(due, id);
  const { slot, ...rest } = record;
  return {
    if: [],
    then: [put(key, encode(rest)), put(layout.placeOf(id), key), ...freeing(layout, body, slot)],
  };
}

export function toDead(layout: QueueLayout, job: KnownJob, reason: DeadReason, at: number): Move {
  const { id, body, record } = job;
  const dead: DeadRecord = { body, record, reason, at };
  return { if: [], then: [...toEnd(layout, job).then, put(layout.deadOf(id), encode(dead))] };
}

/** Nothing remains of it. Deletes only: it must work while the store is over its quota. */
export function toEnd(layout: QueueLayout, { id, body, record }: KnownJob): Move {
  const keys = [layout.job(id), layout.placeOf(id), layout.cancelOf(id)];
  return { if: [], then: [...keys.map((key) => remove(key)), ...freeing(layout, body, record.slot)] };
}

/** The same, and how it ended is kept as long as the lease lasts. */
export function toResult(layout: QueueLayout, job: KnownJob, end: EndRecord, lease: bigint): Move {
  return { if: [], then: [...toEnd(layout, job).then, put(layout.result(job.id), encode(end), { lease })] };
}

function freeing(layout: QueueLayout, { group }: JobBody, slot: number | undefined): readonly Op[] {
  return group === undefined || slot === undefined ? [] : [remove(layout.slot(group, slot))];
}
