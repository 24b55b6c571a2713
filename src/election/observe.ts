import { isConclaveError, UnavailableError } from '../base/errors.js';
import { Wait } from '../base/wait.js';
import { prefix } from '../store/operations.js';
import { Pipe } from '../store/pipe.js';
import type { KeyValue } from '../store/results.js';
import { retry } from '../store/retry.js';
import type { Connection } from '../session/connection.js';
import type { Line, LineState } from '../session/line.js';

/** The oldest candidate at one revision: who leads, or leads as soon as it has noticed. */
export interface Sighting {
  readonly leader: KeyValue | undefined;
  readonly revision: bigint;
}

/** A reader this many changes behind is not followed up on; once it has caught up the line is read anew. */
const backlogLimit = 1_000;

/** Says that the reader is too far behind. */
const behind = new Error('the reader is too far behind');

/**
 * The leaders of a line as they come and go, the present state first: each whole revision at which another ticket is the
 * oldest, or there is none, or the oldest has a new value. Never backwards, none twice. After a compaction, and for a
 * reader that falls far behind, changes may be left out; none is invented.
 *
 * One read and one watch, nothing per change. Goes on while the store is away.
 *
 * @throws the signal's reason; ClosedError; AuthError if a permission was withdrawn
 */
export async function* sightings(
  connection: Connection,
  line: Line,
  signal: AbortSignal | undefined,
): AsyncGenerator<Sighting, void, undefined> {
  const wait = Wait.start(connection.runtime, { signal }, `${line.title}: observe`);
  wait.endsWith(connection.closing);
  const over = new AbortController();
  wait.signal.addEventListener('abort', () => over.abort(wait.signal.reason), { once: true });
  let last: Sighting | undefined;
  try {
    while (true) {
      wait.signal.throwIfAborted();
      const base = await readLine(connection, line, last?.revision ?? 0n, wait.signal);
      const pipe = new Pipe<Sighting>(wait.signal);
      const look = (state: LineState): boolean => {
        const seen = { leader: state.tickets[0], revision: state.revision };
        if (isNews(seen, last)) pipe.push((last = seen));
        return pipe.backlog >= backlogLimit;
      };
      const following = connection.views.view(line).until(base, look, over.signal);
      following.then(
        () => pipe.fail(behind),
        (error: unknown) => pipe.fail(error),
      );
      try {
        yield* pipe;
      } catch (error) {
        if (error !== behind) throw error;
      }
    }
  } finally {
    over.abort();
    wait.end();
  }
}

function isNews({ leader, revision }: Sighting, last: Sighting | undefined): boolean {
  if (!last) return true;
  if (revision <= last.revision) return false;
  return (
    leader?.createRevision !== last.leader?.createRevision || leader?.modRevision !== last.leader?.modRevision
  );
}

/** As it is now, and not before `notBefore`; waits while the store is away. */
async function readLine(
  { store, runtime }: Connection,
  line: Line,
  notBefore: bigint,
  signal: AbortSignal,
): Promise<LineState> {
  const readOnce = async (): Promise<LineState> => {
    const { header, kvs } = await store.get(prefix(line.prefix), { signal });
    // Some versions of etcd can give an old answer to a linearizable read (3.4.20 to 3.4.41).
    if (header.revision < notBefore) throw new UnavailableError('the store answered from its past');
    return line.stateOf(header.revision, kvs);
  };
  return retry(runtime, readOnce, {
    signal,
    again: (error) => !signal.aborted && isConclaveError(error, 'UNAVAILABLE'),
  });
}
