import { isConclaveError } from '../base/errors.js';
import { compare, type Op, prefix, put } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import type { KeyValue } from '../store/results.js';
import { Alarm } from './alarm.js';
import { type Calendar, calendarOf } from './calendar.js';
import { encode, freshRecord, type JobBody } from './job.js';
import { aboveFloors, floorReads, landingPlace, lanesOfAll, putJobUnlessKnown } from './landing.js';
import { dueOf, firedId, nameIn, scheduleIn, type ScheduleRecord } from './schedule.js';
import type { QueueParts } from './settle.js';

/** At a time, if many are made up for. */
const jobsPerTransaction = 25;
const bytesPerTransaction = 500_000;

/** A schedule, as it was found. */
interface FoundSchedule {
  readonly name: string;
  readonly kv: KeyValue;
  readonly record: ScheduleRecord;
  readonly calendar: Calendar;
}

/**
 * Puts the jobs of schedules whose time has come, by the clock of this process, until the signal aborts. Reads the schedules
 * when one is due, or has changed; in between nothing is sent.
 *
 * Each instant is fired once, also if several do this at a time, or die in the midst of it: the transaction that puts the
 * job replaces the schedule it was found in, which says which instant was the last.
 *
 * @param onGroup told of groups that have jobs ready to pass
 */
export async function fireSchedules(
  parts: QueueParts,
  onGroup: (group: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { connection, layout } = parts;
  const { runtime, store } = connection;
  const alarm = new Alarm(runtime, signal);
  const watch = store.listen(
    prefix(layout.schedules),
    { exclude: ['delete'] },
    {
      created: () => alarm.noLaterThan(0), // for what was put before it watched
      events: () => alarm.noLaterThan(0),
      ended: (error) => alarm.fail(error),
    },
  );
  try {
    while (true) {
      signal.throwIfAborted();
      alarm.reset(Infinity);
      const { kvs } = await store.get(prefix(layout.schedules), { signal });
      const failures: unknown[] = [];
      for (const kv of kvs) {
        const schedule = await found(parts, kv);
        if (!schedule) continue;
        const next = schedule.calendar.next(schedule.record.upTo);
        if (next === undefined) continue;
        alarm.noLaterThan(next);
        if (next > runtime.wallNow()) continue;
        await fire(parts, schedule, onGroup, signal).catch((error: unknown) => failures.push(error));
      }
      // One that cannot be fired keeps no other from it; and it is tried again, after a pause.
      if (failures.length > 0) throw failures[0];
      while (!alarm.isOver) await alarm.wait();
    }
  } finally {
    watch.cancel();
    alarm.stop();
  }
}

/** undefined if it is nothing of ours, or if another version of this library is needed for it. */
async function found({ layout }: QueueParts, kv: KeyValue): Promise<FoundSchedule | undefined> {
  try {
    const record = scheduleIn(kv);
    if (!record) return undefined;
    const calendar = await calendarOf(record.timing, record.since, layout.title);
    return { name: nameIn(kv, layout.schedules), kv, record, calendar };
  } catch (error) {
    if (error instanceof RangeError || isConclaveError(error, 'CONFLICT')) return undefined;
    throw error;
  }
}

/** Some of what is due; the rest is still due when this has been done. Refused if the schedule has changed since. */
async function fire(
  { connection, layout }: QueueParts,
  { name, kv, record, calendar }: FoundSchedule,
  onGroup: (group: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { runtime, store } = connection;
  const now = runtime.wallNow();
  const due = dueOf(record, calendar, now);
  if (!due) return;
  const count = Math.min(jobsPerTransaction, Math.ceil(bytesPerTransaction / kv.value.length));
  const instants = due.instants.slice(0, count);
  const last = instants.at(-1);
  const upTo = instants.length < due.instants.length ? (last ?? due.upTo) : due.upTo;
  const after: ScheduleRecord = { ...record, upTo, ...(last !== undefined && { last }) };

  const { group } = record.job;
  const lanes = lanesOfAll(layout, [record.job]);
  const { revision, results } = await readTogether(store, floorReads(lanes), { signal });
  const floors = aboveFloors(lanes, results, revision);
  const body: Omit<JobBody, 'place'> = { ...record.job, enqueuedAt: now, isNamed: true };
  const puts = instants.map((instant, i): Op => {
    const job = { id: firedId(name, instant), body };
    return putJobUnlessKnown(layout, job, landingPlace(layout, job, revision, i), freshRecord);
  });
  runtime.probe('queue.fire');
  const { succeeded } = await store.txn(
    {
      if: [compare.modRevision(kv.key, '=', kv.modRevision), ...floors.if],
      then: [put(kv.key, encode(after)), ...floors.then, ...puts],
    },
    { signal },
  );
  runtime.probe('queue.fired');
  if (succeeded && group !== undefined) onGroup(group);
}
