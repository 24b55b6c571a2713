import { setTimeout as delay } from 'node:timers/promises';
import { isConclaveError } from '../../../src/index.js';
import { Random } from '../../../src/testing/random.js';
import { nemesisNamed } from '../nemesis/nemeses.js';
import { range } from '../nemesis/targets.js';
import { Rig } from '../rig/rig.js';
import { Watched } from './clients.js';
import type { Scenario } from './scenario.js';
import { ending, guardMs, until } from './until.js';

const ttlMs = 2_000;

export const outOfSpace: Scenario = {
  number: 19,
  title: 'Out of space: holders give back, leases are renewed, waiters wait, and all goes on afterwards',
  tier: 'P',
  needs: [],
  /** Seconds that it lasts. */
  repetitions: { full: 20, tenth: 4 },
  async run(stand, repetitions) {
    await using rig = await Rig.start({ tier: 'loopback', clients: 1 });
    await using holder = new Watched(rig.endpoints, { sessionTtlMs: ttlMs });
    await using other = new Watched(rig.endpoints, { sessionTtlMs: ttlMs });
    const holds = await Promise.all(range(10).map((i) => holder.conclave.mutex(`m${i}`).acquire()));
    const kept = await holder.conclave.mutex('kept').acquire();
    const keptByOther = await other.conclave.mutex('kept by other').acquire();
    const before = ending(other.conclave.mutex('m0').acquire({ timeoutMs: guardMs }));
    await until(
      'somebody waits',
      async () => (await other.conclave.mutex('m0').inspect()).waiters.length > 0,
    );
    const undo = await nemesisNamed('out of space').begin({ rig }, new Random(stand.seed));
    const beganAt = performance.now();
    const releases = await Promise.all(holds.map((hold) => ending(hold.release())));
    for (const { error } of releases) stand.expect(error === undefined, `not given back: ${String(error)}`);
    stand.spread(
      'given back without space',
      releases.map(({ at }) => at - beganAt),
    );
    const served = await before;
    stand.expect(served.value !== undefined, `who had waited was not served: ${String(served.error)}`);
    const refused = await ending(other.conclave.mutex('m1').acquire());
    stand.expect(
      isConclaveError(refused.error, 'RESOURCE_EXHAUSTED'),
      `it was not refused: ${String(refused.error)}`,
    );
    await delay(Math.max(0, repetitions * 1_000 - (performance.now() - beganAt)));
    stand.expect(kept.isHeld() && keptByOther.isHeld(), 'a lease was not renewed without space');
    await undo();
    const disarmedAt = performance.now();
    const again = await until('a lock can be taken', () =>
      other.conclave
        .mutex('m1')
        .acquire()
        .catch(() => undefined),
    );
    stand.figure('first lock taken after the alarm', `${Math.round(performance.now() - disarmedAt)} ms`);
    for (const hold of [served.value, again, kept, keptByOther]) await hold?.release();
  },
};
