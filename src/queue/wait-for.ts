import { isConclaveError, NotFoundError, UnavailableError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import { raceSignal, Wait, type WaitOptions, withOwnSignal } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { get } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import type { KeyValue } from '../store/results.js';
import { retry } from '../store/retry.js';
import { decode } from './job.js';
import type { DeadReason, DeadRecord, EndRecord } from './moves.js';
import type { QueueParts } from './settle.js';

/** How a job has ended. */
export type JobEnd<Result = unknown> =
  /** A worker has done it. */
  | { readonly state: 'completed'; readonly result: Result | undefined }
  /** It is a dead letter; `error` is what it failed with last. */
  | { readonly state: 'dead'; readonly reason: DeadReason; readonly error: string | undefined }
  /** Somebody has taken it back, or it was told to stop and its worker did. */
  | { readonly state: 'cancelled' };

/** How often to look whether the watch has told everything: some versions of etcd lose events (3.4.23 at compactions). */
const lookMs = 15_000;

/**
 * See `Queue.waitFor`. Every end of a job deletes `job/<id>`, in the transaction that writes how it ended: so one key is
 * watched, from the revision on at which the job was seen alive, and the end is read at the revision of its deletion.
 */
export async function waitFor(parts: QueueParts, id: string, options: WaitOptions): Promise<JobEnd> {
  const { connection, layout, retention } = parts;
  const { runtime } = connection;
  const title = `${layout.title}: waitFor ${JSON.stringify(id)}`;
  const key = layout.job(id); // a bad id is an error before any I/O
  const wait = Wait.start(runtime, options, title);
  wait.endsWith(connection.closing);
  /** Since when nobody has seen it alive. */
  const seen = { revision: 0n, at: -Infinity };
  try {
    while (true) {
      const look = await retry(runtime, () => lookAt(parts, id, seen.revision, wait.signal), {
        signal: wait.signal,
        again: (error) => !wait.immediate && !wait.signal.aborted && isConclaveError(error, 'UNAVAILABLE'),
      });
      const end = endIn(look);
      if (end) return end;
      if (!look.job) {
        // Ended, and not so long ago that what was to be kept is gone: nothing was to be kept.
        if (runtime.now() - seen.at < retention.keepMs) return { state: 'completed', result: undefined };
        throw new NotFoundError(
          seen.revision > 0n
            ? `${title}: it has ended, and how is not remembered any more`
            : `${title}: there is no such job, or it ended too long ago to be remembered`,
        );
      }
      if (wait.immediate) throw wait.timeout();
      Object.assign(seen, look);
      const deletedAt = await untilDeleted(connection, key, seen, wait.signal);
      const endThen = deletedAt === undefined ? undefined : await endAt(parts, id, deletedAt, wait.signal);
      if (endThen) return endThen;
    }
  } finally {
    wait.end();
  }
}

/** What is there of a job and its end, all at one revision. */
interface Look {
  readonly revision: bigint;
  /** Before it was sent: what it shows was so then, or came later. */
  readonly at: number;
  readonly job: KeyValue | undefined;
  readonly result: KeyValue | undefined;
  readonly dead: KeyValue | undefined;
}

async function lookAt(
  { connection, layout }: QueueParts,
  id: string,
  notBefore: bigint,
  signal: AbortSignal,
): Promise<Look> {
  const at = connection.runtime.now();
  const reads = [
    get(layout.job(id), { keysOnly: true }),
    get(layout.result(id)),
    get(layout.deadOf(id)),
  ] as const;
  const { revision, results } = await readTogether(connection.store, reads, { signal });
  // Some versions of etcd can give an old answer to a linearizable read (3.4.20 to 3.4.41).
  if (revision < notBefore) throw new UnavailableError('the store answered from its past');
  const [jobs, ends, dead] = results;
  return { revision, at, job: jobs.kvs[0], result: ends.kvs[0], dead: dead.kvs[0] };
}

/** @throws ConflictError if a newer version of this library wrote it */
function endIn({ job, result, dead }: Pick<Look, 'job' | 'result' | 'dead'>): JobEnd | undefined {
  if (job) return undefined; // also a dead letter that is tried again
  if (result) return asEnd(result);
  return dead && asDead(dead);
}

/** @throws ConflictError if a newer version of this library wrote it */
export function asEnd(kv: KeyValue): JobEnd {
  const { state, result } = (decode(kv) ?? {}) as Partial<EndRecord>;
  return state === 'cancelled' ? { state } : { state: 'completed', result };
}

/** @throws ConflictError if a newer version of this library wrote it */
export function asDead(kv: KeyValue): JobEnd & { readonly state: 'dead' } {
  const { reason = 'unreadable', record } = (decode(kv) ?? {}) as Partial<DeadRecord>;
  return { state: 'dead', reason, error: record?.error };
}

/**
 * How a job has ended that was deleted at this revision. What is not kept is told from what was there just before: of two
 * that leave nothing, one that was not being worked on, or was wanted to stop, was cancelled.
 *
 * Goes on while the store is away, for later there may be less to see: a dead letter may be dropped.
 *
 * @returns undefined if that is compacted away
 */
async function endAt(
  { connection, layout }: QueueParts,
  id: string,
  revision: bigint,
  signal: AbortSignal,
): Promise<JobEnd | undefined> {
  const before = revision - 1n;
  const reads = [
    get(layout.result(id), { revision }),
    get(layout.deadOf(id), { revision }),
    get(layout.activeOf(id), { revision: before, keysOnly: true }),
    get(layout.cancelOf(id), { revision: before, keysOnly: true }),
  ] as const;
  try {
    const { results } = await retry(
      connection.runtime,
      () => readTogether(connection.store, reads, { signal }),
      {
        signal,
        // Another endpoint may not have this revision yet.
        again: (error) =>
          !signal.aborted &&
          (isConclaveError(error, 'UNAVAILABLE') || isConclaveError(error, 'FUTURE_REVISION')),
      },
    );
    const [ends, dead, active, cancel] = results;
    const end = endIn({ job: undefined, result: ends.kvs[0], dead: dead.kvs[0] });
    if (end) return end;
    const wasWanted = active.kvs.length > 0 && cancel.kvs.length === 0;
    return wasWanted ? { state: 'completed', result: undefined } : { state: 'cancelled' };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (isConclaveError(error, 'COMPACTED')) return undefined; // the present will have to do
    throw error;
  }
}

/**
 * Resolves when the key is deleted, with the revision; with undefined if that may have happened, and has to be looked at.
 *
 * @param seen when it stood there; kept up to date
 */
function untilDeleted(
  { store, runtime }: Connection,
  key: string,
  seen: { revision: bigint; at: number },
  signal: AbortSignal,
): Promise<bigint | undefined> {
  return withOwnSignal(signal, async (over) => {
    const deleted = new Promise<bigint | undefined>((resolve, reject) => {
      const watch = store.listen(
        key,
        { startRevision: seen.revision + 1n, exclude: ['put'] },
        {
          created: () => {},
          events: (revision) => resolve(revision),
          ended: (error) => (isConclaveError(error, 'COMPACTED') ? resolve(undefined) : reject(error)),
        },
      );
      over.addEventListener('abort', () => watch.cancel(), { once: true });
    });
    const lookAgain = async (): Promise<undefined> => {
      while (true) {
        await sleep(runtime, lookMs, { background: true, signal: over });
        const at = runtime.now();
        // A store that does not answer proves nothing.
        const now = await store.get(key, { keysOnly: true, signal: over }).catch(() => undefined);
        if (now?.kvs.length === 0) return undefined;
        if (now) seen.at = at;
      }
    };
    const looking = lookAgain();
    looking.catch(() => {}); // over
    return raceSignal(Promise.race([deleted, looking]), over);
  });
}
