import { toText } from '../base/bytes.js';
import { decodeName } from '../base/keys.js';
import { compare, get, prefix, put, remove, txn } from '../store/operations.js';
import { sendWithinQuota } from '../session/within-quota.js';
import { encode } from './job.js';
import type { Move } from './moves.js';
import { Search, type WaitingJob } from './search.js';
import type { QueueParts } from './settle.js';

/**
 * Lets jobs of a group pass to the ready ones, as long as it has free slots. A slot is a key that a job occupies from then
 * on until it has ended, or waits for another attempt: so no more jobs of a group than it has slots are ready or run.
 *
 * Whoever puts a job of the group, or frees a slot, does this; and whoever looks after the queue, should they have been
 * lost in between. Late copies do nothing: each job is compared where it was found.
 */
export async function fillGroup(
  parts: QueueParts,
  group: string,
  concurrency: number,
  signal: AbortSignal,
): Promise<void> {
  const search = new Search(parts.connection.store, parts.layout.group(group));
  for (let vain = 0; vain < maxVain; vain++) {
    const passed = await fillOnce(parts, search, { group, concurrency }, signal);
    if (passed === undefined) return;
    if (passed > 0) vain = -1;
  }
}

/** Others do the same; what they leave undone is found at the next look. */
const maxVain = 5;

/** @returns how many have passed; undefined if there is nothing to do */
async function fillOnce(
  { connection, layout }: QueueParts,
  search: Search,
  { group, concurrency }: { readonly group: string; readonly concurrency: number },
  signal: AbortSignal,
): Promise<number | undefined> {
  const slots = prefix(layout.slotsOf(group));
  const { revision, jobs, others } = await search.first(Math.min(concurrency, 16), signal, [get(slots)]);
  const occupied = new Set(others[0]?.kvs.map(({ key }) => toText(key)));
  const free: number[] = [];
  for (let i = 0; i < concurrency && free.length < jobs.length; i++) {
    if (!occupied.has(layout.slot(group, i))) free.push(i);
  }
  // Others may have filled more, by a larger number.
  const passing = jobs.slice(0, Math.max(0, Math.min(free.length, concurrency - occupied.size)));
  if (passing.length === 0) return undefined;
  const session = await connection.session();
  const pass = (job: WaitingJob, i: number): Move => {
    const lane = layout.ready.lane(job.lane.priority);
    const slot = free[i] ?? 0;
    const key = lane.keyOf(revision, i, job.id);
    return {
      if: [
        compare.modRevision(job.key, '=', job.modRevision),
        compare.createRevision(layout.slot(group, slot), '=', 0n),
        lane.isAbove(revision),
      ],
      then: [
        remove(job.key),
        put(layout.slot(group, slot), job.id),
        put(key, encode({ ...job.record, slot })),
        put(layout.placeOf(job.id), key),
      ],
    };
  };
  const moves = passing.map(pass);
  // All or none: were only the slot of a later one free, it would overtake those before it.
  const { succeeded } = await sendWithinQuota(
    session,
    txn({ if: moves.flatMap((move) => move.if), then: moves.flatMap((move) => move.then) }),
  );
  void search.moveFloors();
  return succeeded ? passing.length : 0;
}

/** Every group that ever had a job. */
export async function groupsOf(
  { connection, layout }: QueueParts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { kvs } = await connection.store.get(prefix(layout.groups), { keysOnly: true, signal });
  const names = kvs.map(({ key }) => toText(key).slice(layout.groups.length).split('/')[0] ?? '');
  return [...new Set(names)].map(decodeName);
}
