import { isConclaveError } from '../base/errors.js';
import { Wait } from '../base/wait.js';
import { prefix } from '../store/operations.js';
import { type QueueHappening, happeningsIn } from './happenings.js';
import type { QueueParts } from './settle.js';

/** What `Queue.events` tells. */
export type QueueEvent = { readonly revision: bigint } & (
  | QueueHappening
  /** The first one: all that happens after this revision is told. */
  | { readonly kind: 'watching' }
  /** The store has forgotten what happened up to this revision before it could be told: some of it may be missing. */
  | { readonly kind: 'missed' }
);

/** See `Queue.events`. */
export async function* queueEvents(
  { connection, layout }: QueueParts,
  signal: AbortSignal | undefined,
): AsyncGenerator<QueueEvent, void, undefined> {
  const { store, runtime } = connection;
  const wait = Wait.start(runtime, { signal }, `${layout.title}: events`);
  wait.endsWith(connection.closing);
  let startRevision = 0n;
  try {
    while (true) {
      wait.signal.throwIfAborted();
      try {
        const options = { startRevision, signal: wait.signal };
        for await (const notice of store.watch(prefix(layout.prefix), options)) {
          const { kind, revision } = notice;
          if (kind === 'progress') continue;
          if (kind === 'events') {
            startRevision = revision + 1n;
            for (const happening of happeningsIn(layout, notice.events)) yield { revision, ...happening };
          } else if (startRevision === 0n) {
            startRevision = revision + 1n;
            yield { revision, kind: 'watching' };
          }
        }
      } catch (error) {
        if (!isConclaveError(error, 'COMPACTED')) throw error;
        startRevision = error.compactRevision + 1n;
        yield { revision: error.compactRevision, kind: 'missed' };
      }
    }
  } finally {
    wait.end();
  }
}
