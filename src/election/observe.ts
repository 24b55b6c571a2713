import { equalBytes } from '../base/bytes.js';
import type { Connection } from '../session/connection.js';
import type { Line, LineState } from '../session/line.js';
import { type Doubt, lineHistory } from '../session/line-history.js';
import type { KeyValue } from '../store/results.js';

/** The oldest candidate at one revision: who leads, or leads as soon as it has noticed. */
export interface Sighting {
  readonly leader: KeyValue | undefined;
  readonly revision: bigint;
}

/**
 * The leaders of a line as they come and go, the present state first: each whole revision at which another ticket is the
 * oldest, or there is none, or the oldest has been written on. Never backwards, none twice. After a compaction, or if the
 * store itself has lost events, some may be left out; none is invented.
 *
 * @throws the signal's reason; ClosedError; AuthError if a permission was withdrawn
 */
export async function* sightings(
  connection: Connection,
  line: Line,
  signal: AbortSignal | undefined,
): AsyncGenerator<Sighting, void, undefined> {
  let last: Sighting | undefined;
  for await (const state of lineHistory(connection, line, { signal, compareWith })) {
    const seen = { leader: state.tickets[0], revision: state.revision };
    if (!last || !isSame(seen.leader, last.leader)) yield (last = seen);
  }
}

/**
 * What to think of a watch that has told of `told`, if everything up to `seen` should have been told.
 *
 * `behind` may be an error: the watch may just be connecting again. `wrong` may not.
 */
export function compareWith(seen: LineState, told: LineState): Doubt {
  const [leader] = told.tickets;
  if (told.revision <= seen.revision) {
    if (isSame(leader, seen.tickets[0])) return 'right';
    return told.revision < seen.revision ? 'behind' : 'wrong';
  }
  // It has told of something later. But whoever had gone by then does not come back.
  if (!leader || leader.createRevision > seen.revision) return 'right';
  const stands = seen.tickets.some(({ createRevision }) => createRevision === leader.createRevision);
  return stands ? 'right' : 'wrong';
}

function isSame(one: KeyValue | undefined, other: KeyValue | undefined): boolean {
  if (!one || !other) return one === other;
  return one.modRevision === other.modRevision && equalBytes(one.key, other.key);
}
