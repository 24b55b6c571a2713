import { connect } from '../../../src/index.js';
import { manyLocks, nameOf } from '../loads/many-locks.js';
import { range } from '../nemesis/targets.js';
import { namespace, Stage } from '../stage.js';
import type { Scenario } from './scenario.js';
import { guardMs, until } from './until.js';

/** Nobody waits for such a lease to run out. */
const ttlMs = 120_000;

export const shutdown: Scenario = {
  number: 30,
  title: `SIGTERM with ${manyLocks} locks held: all are given back, and the process ends by itself`,
  tier: 'P',
  needs: [],
  repetitions: { full: 5, tenth: 1 },
  async run(stand, repetitions) {
    const aims = [{ probe: 'use.begin', nth: 1, act: 'tell' }] as const;
    await using stage = await Stage.start({
      ...{ workload: 'many-locks', tier: 'loopback', clients: 1, ttlMs, seed: stand.seed, aims },
    });
    await using near = await connect({ endpoints: stage.rig.endpoints, namespace });
    const latencies: number[] = [];
    const ends: number[] = [];
    for (let time = 0; time < repetitions; time++) {
      await stage.revive(0);
      const player = stage.player(0);
      await until('all locks are held', () => player.passed('use.begin') > 0);
      let killedAt = Infinity;
      const served = range(manyLocks).map(async (i) => {
        const hold = await near.mutex(nameOf(i)).acquire({ timeoutMs: guardMs });
        latencies.push(performance.now() - killedAt);
        await hold.release();
      });
      await until('somebody waits for each', async () => {
        const lines = await Promise.all(range(manyLocks).map((i) => near.mutex(nameOf(i)).inspect()));
        return lines.every(({ waiters }) => waiters.length === 1);
      });
      killedAt = performance.now();
      player.launched.signal('SIGTERM');
      const { code, signal } = await player.launched.ended;
      ends.push(performance.now() - killedAt);
      stand.expect(code === 0, `it ended with ${String(signal ?? code)}: ${player.errors}`);
      await Promise.all(served);
    }
    stand.spread('next waiter served after SIGTERM', latencies);
    stand.spread('process ended after SIGTERM', ends);
    // The lease would have kept them for two minutes.
    stand.expect(Math.max(...latencies) < 10_000, 'locks were not given back in time');
    stand.expect(Math.max(...ends) < 20_000, 'the process was kept alive');
    stage.conclude(await stage.evidence(), stand.violations);
  },
};
