import type { Peer } from './peer.js';
import type { Trace } from './trace.js';
import type { VirtualClock } from './virtual-clock.js';

const latestLines = 10;

/** What nobody sees from the rest of the message. */
const hint =
  'if the code waits for something real (I/O, setTimeout), the world cannot know: use a fake or world.sleep, or await it outside of run';

/** What was waited for has not come: the limit was reached, or nothing is left that could ever happen. */
export class DeadlockError extends Error {
  override readonly name = 'DeadlockError';

  constructor(clock: VirtualClock, peers: readonly Peer[], trace: Trace, limitMs: number) {
    const why =
      clock.nextAt === undefined
        ? 'waits for ever: no timer is set that could change anything'
        : `not settled within the limit of ${limitMs} ms`;
    const states = peers.map((peer) => `  ${peer.describe()}`);
    const latest = trace.tail.slice(-latestLines).map((line) => `  ${line}`);
    const when = `it is ${Math.round(clock.now())} ms`;
    super([`${why}; ${when}`, hint, ...states, 'the latest traffic:', ...latest].join('\n'));
  }
}

/** @throws TypeError, RangeError if it is nothing that could be waited for: a function, for example, that was not called */
export function checkWait(promise: unknown, limitMs: number): void {
  const isThenable = typeof promise === 'object' && promise !== null && 'then' in promise;
  if (!isThenable) throw new TypeError(`run waits for a promise, got ${typeof promise}`);
  if (!(limitMs >= 0)) throw new RangeError(`limitMs must be 0 or more, got ${limitMs}`);
}
