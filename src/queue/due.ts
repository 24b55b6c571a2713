import { toText } from '../base/bytes.js';
import { isConclaveError } from '../base/errors.js';
import { sendWithinQuota } from '../session/within-quota.js';
import { compare, get, prefix, range, remove, txn, type TxnOp } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import type { KeyValue } from '../store/results.js';
import { Alarm } from './alarm.js';
import { bodyIn, recordIn } from './job.js';
import { idIn } from './lane.js';
import { toGroup, toReady } from './moves.js';
import type { QueueParts } from './settle.js';

/** How far to look ahead. */
const aheadMs = 10_000;
/** How far behind the latest look a job may still be put: clocks differ. */
const behindMs = 60_000;
/** How often to look at everything. */
const wholeMs = 300_000;
/** How soon to try again if others have got in between. */
const againMs = 50;
const perTransaction = 25;

/**
 * Makes jobs ready whose time has come, by the clock of this process, until the signal aborts. Looks only at what is due
 * soon, so the many that wait for later cost nothing; a watch tells of what is put meanwhile.
 *
 * Several may do this at a time: each job is compared where it was found.
 *
 * @param onGroup told of groups that have jobs ready to pass
 */
export async function promoteDue(
  parts: QueueParts,
  onGroup: (group: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { connection, layout } = parts;
  const { runtime, store } = connection;
  const alarm = new Alarm(runtime, signal);
  let wholeAt = -Infinity;
  /** From where on to look next. */
  let from = 0;
  const watch = store.listen(
    prefix(layout.delayed),
    { exclude: ['delete'] },
    {
      created: () => alarm.noLaterThan(0), // for what was put before it watched
      events: (_revision, events) => {
        for (const { kv } of events) {
          const due = dueOf(kv, layout.delayed);
          from = Math.min(from, due);
          alarm.noLaterThan(due);
        }
      },
      ended: (error) => alarm.fail(error),
    },
  );
  /** Before it there is only what nobody here can move, of all that is due. */
  let passed: Uint8Array | undefined;
  try {
    while (true) {
      signal.throwIfAborted();
      const now = runtime.wallNow();
      if (now - wholeAt >= wholeMs || now < wholeAt) [from, wholeAt] = [0, now];
      alarm.reset(now + aheadMs);
      const start = from;
      // Whatever comes from now on may set it back.
      from = Math.max(0, now - behindMs);
      const allDue = range(layout.delayedBefore(start), layout.delayedBefore(now + 1));
      const due = passed ? { ...allDue, key: passed } : allDue;
      const soon = range(layout.delayedBefore(now + 1), layout.delayedBefore(now + aheadMs));
      const { results } = await readTogether(
        store,
        [get(due, { limit: perTransaction }), get(soon, { limit: 1, keysOnly: true })],
        { signal },
      );
      const [isDue, next] = results;
      const { tried, isAllMoved } = await promote(parts, isDue.kvs, onGroup, signal);
      if (isDue.more || !isAllMoved) from = Math.min(from, start);
      const [last] = isDue.kvs.slice(-1);
      if (!isDue.more) passed = undefined;
      else if (last && tried === 0) passed = Buffer.concat([last.key, Buffer.of(0)]);
      if (isDue.more && isAllMoved) continue;
      if (!isAllMoved) alarm.noLaterThan(now + againMs);
      for (const kv of next.kvs) alarm.noLaterThan(dueOf(kv, layout.delayed));
      await alarm.wait();
    }
  } finally {
    watch.cancel();
    alarm.stop();
  }
}

interface Promoted {
  /** Not those that a newer version has put. */
  readonly tried: number;
  /** Of these. */
  readonly isAllMoved: boolean;
}

async function promote(
  parts: QueueParts,
  waiting: readonly KeyValue[],
  onGroup: (group: string) => void,
  signal: AbortSignal,
): Promise<Promoted> {
  if (waiting.length === 0) return { tried: 0, isAllMoved: true };
  const { connection, layout } = parts;
  const reads = waiting.map(({ key }) => get(layout.job(idIn(toText(key)))));
  const [{ revision, results }, session] = await Promise.all([
    readTogether(connection.store, reads, { signal }),
    connection.session(),
  ]);
  const groups = new Set<string>();
  const moveOf = (kv: KeyValue, i: number): TxnOp => {
    const id = idIn(toText(kv.key));
    const stands = compare.modRevision(kv.key, '=', kv.modRevision);
    const body = bodyIn(results[i]?.kvs[0]);
    if (!body) return txn({ if: [stands], then: [remove(kv.key)] }); // somebody has deleted the job
    const job = { id, body, record: recordIn(kv) };
    const { group } = body;
    if (group !== undefined) groups.add(group);
    const move =
      group === undefined ? toReady(layout, job, revision, i) : toGroup(layout, job, group, revision, i);
    return txn({ if: [stands, ...move.if], then: [remove(kv.key), ...move.then] });
  };
  const moves = waiting.flatMap((kv, i): TxnOp[] => {
    try {
      return [moveOf(kv, i)];
    } catch (error) {
      if (!isConclaveError(error, 'CONFLICT')) throw error;
      return []; // one that a newer version has to move keeps no other from it
    }
  });
  if (moves.length === 0) return { tried: 0, isAllMoved: true };
  const { responses } = await sendWithinQuota(session, txn({ then: moves }));
  connection.runtime.probe('queue.promoted');
  for (const group of groups) onGroup(group);
  const isAllMoved = responses.every((response) => response.kind === 'txn' && response.succeeded);
  return { tried: moves.length, isAllMoved };
}

/** @returns wall clock, milliseconds since 1970 */
function dueOf({ key }: KeyValue, delayed: string): number {
  return Number.parseInt(toText(key).slice(delayed.length, delayed.length + 16), 16);
}
