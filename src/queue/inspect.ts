import { toText } from '../base/bytes.js';
import { isoTime } from '../base/runtime.js';
import { type Holder, readContent } from '../session/ticket-value.js';
import { get, prefix } from '../store/operations.js';
import { readTogether } from '../store/read-together.js';
import type { KeyValue } from '../store/results.js';
import { attemptOf, decode, recordIn } from './job.js';
import { idIn } from './lane.js';
import type { QueueParts } from './settle.js';

/** A job that a worker has. */
export interface RunningJob {
  readonly id: string;
  readonly attempt: number;
  readonly holder: Holder | undefined;
  /** When it was taken, by the worker's clock: ISO 8601. */
  readonly since: string | undefined;
  /** What the worker has last told by `progress`. */
  readonly progress: unknown;
  /** Its worker is lost, and nobody else has the job yet. */
  readonly isOrphan: boolean;
}

/** A queue, all at one revision of the store. */
export interface QueueState {
  readonly revision: bigint;
  readonly isPaused: boolean;
  /** Jobs that can be taken. */
  readonly ready: number;
  /** Jobs that wait for their time. */
  readonly delayed: number;
  /** Jobs that wait for others of their group. */
  readonly grouped: number;
  readonly dead: number;
  readonly running: readonly RunningJob[];
  /** Processes that wait for a job. */
  readonly workers: number;
}

/** One read. The store counts by its index; of the jobs that wait nothing is sent. */
export async function inspect({ connection, layout }: QueueParts): Promise<QueueState> {
  connection.closing.throwIfAborted();
  const count = (keys: string): ReturnType<typeof get> => get(prefix(keys), { countOnly: true });
  const { revision, results } = await readTogether(connection.store, [
    get(prefix(layout.active)),
    get(layout.paused, { keysOnly: true }),
    count(layout.ready.prefix),
    count(layout.delayed),
    count(`${layout.prefix}group/`),
    count(layout.dead),
    count(`${layout.workers}t/`),
  ]);
  const [active, paused, ready, delayed, grouped, dead, workers] = results;
  return {
    revision,
    isPaused: paused.kvs.length > 0,
    ready: ready.count,
    delayed: delayed.count,
    grouped: grouped.count,
    dead: dead.count,
    workers: workers.count,
    running: runningIn(active.kvs, layout.active),
  };
}

function runningIn(kvs: readonly KeyValue[], active: string): readonly RunningJob[] {
  const claims = new Map<string, KeyValue>();
  const jobs: KeyValue[] = [];
  for (const kv of kvs) {
    const [id = '', claim] = toText(kv.key).slice(active.length).split('/');
    if (claim === undefined) jobs.push(kv);
    else claims.set(id, kv);
  }
  return jobs.map((kv) => {
    const claim = claims.get(toText(kv.key).slice(active.length));
    const { holder, since } = (decode(kv) ?? {}) as { holder?: Holder; since?: number };
    return {
      id: idIn(toText(kv.key)),
      attempt: attemptOf(recordIn(kv)),
      holder,
      since: since === undefined ? undefined : isoTime(since),
      progress: claim && readContent(claim)?.progress,
      isOrphan: claim === undefined,
    };
  });
}
