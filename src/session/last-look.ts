import { isConclaveError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import type { Answer, GetResult, KeyValue } from '../store/results.js';
import { retry } from '../store/retry.js';
import type { Session } from './session.js';

/** How often to look whether a session that was lost by its clock has ended in the store as well. */
const pollMs = 500;

/**
 * A key of the session as it was when the session ended in the store: the final truth about every request of it.
 *
 * All keys of a lease go in one revision, D, and every request compares the session's own key: nothing of the session is
 * applied from D on, and D - 1 shows what was. A session lost by its clock alone is waited for: its lease is revoked once
 * it would have run out, or runs out.
 *
 * D is found by reading, in as many steps as the number of revisions to search has digits in base two: a watch from the
 * past makes the server walk them all, and some servers lose a deletion (etcd before 3.4.36).
 *
 * @throws CompactedError if D - 1 is no longer there; ClosedError; the signal's reason
 */
export async function lastLook(
  session: Session,
  key: string,
  signal: AbortSignal,
): Promise<KeyValue | undefined> {
  let there = session.epoch.revision;
  let gone = await untilGone(session, signal);
  while (gone - there > 1n) {
    const middle = (there + gone) / 2n;
    if (await wasThere(session, middle, signal)) there = middle;
    else gone = middle;
  }
  const { kvs } = await read(session, key, gone - 1n, signal);
  return kvs[0];
}

/** @returns a revision at which the session's key was deleted already */
async function untilGone(session: Session, signal: AbortSignal): Promise<bigint> {
  for (;;) {
    const { header, kvs } = await read(session, session.key, 0n, signal);
    // An answer from before the session proves nothing (etcd 3.4.20 to 3.4.41 can give a stale one).
    if (kvs.length === 0 && header.revision > session.epoch.revision) return header.revision;
    await sleep(session.options.runtime, pollMs, { signal });
  }
}

async function wasThere(session: Session, revision: bigint, signal: AbortSignal): Promise<boolean> {
  try {
    const { kvs } = await read(session, session.key, revision, signal);
    return kvs.length > 0;
  } catch (error) {
    // Perhaps not; but then what is looked for cannot be read, which the last step finds.
    if (isConclaveError(error, 'COMPACTED')) return true;
    throw error;
  }
}

function read(
  { store, options }: Session,
  key: string,
  revision: bigint,
  signal: AbortSignal,
): Promise<Answer<GetResult>> {
  return retry(options.runtime, () => store.get(key, { revision, signal }), {
    signal,
    again: (error) => isConclaveError(error, 'UNAVAILABLE') || isConclaveError(error, 'FUTURE_REVISION'),
  });
}
