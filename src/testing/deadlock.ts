import type { Peer } from './peer.js';
import type { Trace } from './trace.js';
import type { VirtualClock } from './virtual-clock.js';

const latestLines = 10;

/** What was waited for has not come: the limit was reached, or nothing is left that could ever happen. */
export class DeadlockError extends Error {
  override readonly name = 'DeadlockError';

  constructor(clock: VirtualClock, peers: readonly Peer[], trace: Trace) {
    const why =
      clock.nextAt === undefined
        ? 'waits for ever: no timer is set that could change anything'
        : 'not settled within the limit';
    const states = peers.map((peer) => `  ${peer.describe()}`);
    const latest = trace.tail.slice(-latestLines).map((line) => `  ${line}`);
    super([`${why}; it is ${clock.now()} ms`, ...states, 'the latest traffic:', ...latest].join('\n'));
  }
}
