import { toText } from '../base/bytes.js';
import { isConclaveError } from '../base/errors.js';
import { Line, type LineState } from '../session/line.js';
import { compare, get, prefix, remove } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import type { KeyValue } from '../store/results.js';
import { bodyIn, recordIn } from './job.js';
import { idIn } from './lane.js';
import { type KnownJob, type Move, toDead, toReady } from './moves.js';
import type { QueueParts } from './settle.js';

export interface ReclaimOptions {
  /** After so many a job is a dead letter. */
  readonly maxCrashes: number;
  /** Told of groups that may have a free slot now. */
  readonly onGroup: (group: string) => void;
}

/**
 * Gives jobs whose worker is lost to others, until the signal aborts: jobs that are being worked on, without a claim. A claim
 * goes with the session of its worker, so this takes as long as the store needs to notice that.
 *
 * Several may do this at a time: each change compares what it replaces, and that there is still no claim.
 */
export async function reclaimOrphans(
  parts: QueueParts,
  options: ReclaimOptions,
  signal: AbortSignal,
): Promise<void> {
  const { connection, layout } = parts;
  const line = new Line({ prefix: layout.active, title: layout.title });
  /** What a newer version has put, which nobody here can give to others: keys and revisions. */
  const foreign = new Set<string>();
  const nameOf = ({ key, modRevision }: KeyValue): string => `${toText(key)}@${modRevision}`;
  while (true) {
    const { header, kvs } = await connection.store.get(prefix(layout.active), { signal });
    let orphans: readonly KeyValue[] = [];
    // Watched, and read anew now and then, should the watch have missed something.
    await connection.views.view(line).until(
      line.stateOf(header.revision, kvs),
      (state) => {
        orphans = orphansIn(state, layout.active).filter((kv) => !foreign.has(nameOf(kv)));
        return orphans.length > 0;
      },
      signal,
    );
    connection.runtime.probe('queue.orphans');
    for (const orphan of orphans) {
      await reclaim(parts, orphan, options, signal).catch((error: unknown) => {
        if (!isConclaveError(error, 'CONFLICT')) throw error;
        foreign.add(nameOf(orphan));
      });
    }
  }
}

/** Both are put by one transaction, and a view shows whole revisions: who has no claim has lost it. */
function orphansIn({ tickets }: LineState, active: string): readonly KeyValue[] {
  const claimed = new Set<string>();
  const jobs = new Map<string, KeyValue>();
  for (const kv of tickets) {
    const [id = '', claim] = toText(kv.key).slice(active.length).split('/');
    if (claim === undefined) jobs.set(id, kv);
    else claimed.add(id);
  }
  return [...jobs].filter(([id]) => !claimed.has(id)).map(([, kv]) => kv);
}

async function reclaim(
  { connection, layout, retention }: QueueParts,
  orphan: KeyValue,
  { maxCrashes, onGroup }: ReclaimOptions,
  signal: AbortSignal,
): Promise<void> {
  const { store, runtime } = connection;
  const id = idIn(toText(orphan.key));
  const { revision, results } = await readTogether(
    store,
    [get(layout.job(id)), get(layout.cancelOf(id), { keysOnly: true })],
    { signal },
  );
  const [jobs, cancels] = results;
  const cancelledAt = cancels.kvs[0]?.createRevision ?? 0n;
  const body = bodyIn(jobs.kvs[0]);
  const now = runtime.wallNow();
  const move = async (job: KnownJob): Promise<Move> => {
    if (cancelledAt > 0n) return retention.moveToEnd(layout, job, { state: 'cancelled', at: now });
    if (job.record.crashes >= maxCrashes) return toDead(layout, job, 'crashed', now);
    return toReady(layout, job, revision);
  };
  const { failures, crashes, slot } = recordIn(orphan);
  const record = {
    failures,
    crashes: crashes + 1,
    because: 'crashed' as const,
    ...(slot !== undefined && { slot }),
  };
  // Nothing is known of a job whose body somebody has deleted.
  const there: Move = body ? await move({ id, body, record }) : { if: [], then: [] };
  const reclaimed = store.txn(
    {
      if: [
        compare.createRevision(prefix(layout.claimsOf(id)), '=', 0n),
        compare.modRevision(orphan.key, '=', orphan.modRevision),
        // Nobody has cancelled it since.
        compare.createRevision(layout.cancelOf(id), '=', cancelledAt),
        ...there.if,
      ],
      then: [remove(orphan.key), ...there.then],
    },
    { signal },
  );
  await reclaimed.catch((error: unknown) => {
    if (isConclaveError(error, 'NOT_FOUND')) retention.forget(); // the only lease named here
    throw error;
  });
  runtime.probe('queue.reclaimed');
  if (body?.group !== undefined) onGroup(body.group);
}
