import { compare, get, type GetOp, put, txn, type TxnOp } from '../store/operations.js';
import type { GetResult } from '../store/results.js';
import { encode, type JobBody, type JobRecord } from './job.js';
import { hex16, type Lane } from './lane.js';
import type { QueueLayout } from './layout.js';
import type { Move } from './moves.js';

type Bound = Pick<JobBody, 'priority' | 'group'>;

/** The lanes that a job goes through, the one into which it is put last: those of a group come to the ready ones in the end. */
function lanesOf(layout: QueueLayout, { priority, group }: Bound): readonly [Lane, ...Lane[]] {
  const ready = layout.ready.lane(priority);
  return group === undefined ? [ready] : [layout.group(group).lane(priority), ready];
}

/** All lanes that these jobs go through. */
export function lanesOfAll(layout: QueueLayout, jobs: readonly Bound[]): readonly Lane[] {
  const lanes = new Map<string, Lane>();
  for (const lane of jobs.flatMap((job) => lanesOf(layout, job))) lanes.set(lane.prefix, lane);
  return [...lanes.values()];
}

/** What to read of lanes, at the revision that is to become part of keys. */
export function floorReads(lanes: readonly Lane[]): readonly GetOp[] {
  return lanes.map(({ floorKey }) => get(floorKey, { keysOnly: true }));
}

/** Nothing lands at or below a floor; a lane that has none gets one. @param found answers to `floorReads` */
export function aboveFloors(
  lanes: readonly Lane[],
  found: readonly (GetResult | undefined)[],
  revision: bigint,
): Move {
  const isKnown = (i: number): boolean => (found[i]?.kvs.length ?? 0) > 0;
  return {
    if: lanes.map((lane, i) => (isKnown(i) ? lane.isAbove(revision) : lane.hasNoFloor())),
    then: lanes.flatMap((lane, i) => (isKnown(i) ? [] : [put(lane.floorKey, hex16(revision - 1n))])),
  };
}

/** Where a job is put that may be taken: the end of its lane, or of those of its group. @param index as for `Lane.keyOf` */
export function landingPlace(
  layout: QueueLayout,
  { id, body }: { readonly id: string; readonly body: Bound },
  revision: bigint,
  index: number,
): string {
  const [lane] = lanesOf(layout, body);
  return lane.keyOf(revision, index, id);
}

/** Puts a job that is new. */
export function putJob(
  layout: QueueLayout,
  { id, body }: { readonly id: string; readonly body: Omit<JobBody, 'place'> },
  place: string,
  record: JobRecord,
): readonly [ReturnType<typeof put>, ReturnType<typeof put>] {
  return [put(layout.job(id), encode({ ...body, place })), put(place, encode(record))];
}

/** The same, unless there is a job of this id already, or somebody remembers one. */
export function putJobUnlessKnown(
  layout: QueueLayout,
  job: { readonly id: string; readonly body: Omit<JobBody, 'place'> },
  place: string,
  record: JobRecord,
): TxnOp {
  const { id, body } = job;
  const keys = [layout.job(id), ...(body.isNamed ? [layout.result(id), layout.deadOf(id)] : [])];
  return txn({
    if: keys.map((key) => compare.createRevision(key, '=', 0n)),
    then: putJob(layout, job, place, record),
  });
}
