import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../../src/index.js';
import { livesOf, livesRightBelow } from '../../history/lives.js';
import { operationsOf } from '../../history/record.js';
import { range } from '../nemesis/targets.js';
import { Rig } from '../rig/rig.js';
import { namespace } from '../stage.js';
import type { Scenario, Stand } from './scenario.js';
import { deaths, deathsOfMembers, playUnderFaults } from './under-faults.js';
import { ending, guardMs, until } from './until.js';

const pace = { lengthMs: [100, 2_500], pauseMs: [0, 800] } as const;

export const permits: Scenario = {
  number: 24,
  title: 'A semaphore of 20 clients that are killed and stopped: never more permits than there are',
  tier: 'P',
  needs: [],
  /** Seconds. */
  repetitions: { full: 60, tenth: 8 },
  async run(stand, seconds) {
    await playUnderFaults(stand, {
      ...{ workload: 'semaphore', clients: 5, desks: 4, ttlMs: 2_000, seconds, ...pace },
      nemeses: deaths,
    });
  },
};

export const readersAndWriters: Scenario = {
  number: 25,
  title: 'Readers and a writer never overlap; among readers that never cease a writer is served',
  tier: 'P',
  needs: [],
  repetitions: { full: 20, tenth: 4 },
  async run(stand, repetitions) {
    await playUnderFaults(stand, {
      ...{ workload: 'rw-lock', clients: 5, ttlMs: 2_000, seconds: Math.max(5, 2 * repetitions), ...pace },
      nemeses: [...deaths, 'a member killed'],
    });
    await serveWriters(stand, repetitions);
  },
};

async function serveWriters(stand: Stand, repetitions: number): Promise<void> {
  await using rig = await Rig.start({ tier: 'loopback', members: 1, clients: 1 });
  await using readers = await connect({ endpoints: rig.endpoints, namespace });
  await using writer = await connect({ endpoints: rig.endpoints, namespace });
  const stop = new AbortController();
  const reading = range(6).map(async () => {
    while (!stop.signal.aborted) await readers.rwLock('rw').read.run(() => delay(20));
  });
  const times: number[] = [];
  for (let time = 0; time < repetitions; time++) {
    const askedAt = performance.now();
    const { value, at, error } = await ending(writer.rwLock('rw').write.acquire({ timeoutMs: guardMs }));
    stand.expect(value !== undefined, `a writer was not served among readers: ${String(error)}`);
    times.push(at - askedAt);
    await value?.release();
  }
  stop.abort();
  await Promise.all(reading);
  stand.spread('a writer among readers waited', times);
}

export const elections: Scenario = {
  number: 26,
  title: 'Five candidates, leaders killed: one leads at a time, terms grow, and all who look on see the same',
  tier: 'P',
  needs: [],
  /** Seconds. */
  repetitions: { full: 60, tenth: 8 },
  async run(stand, seconds) {
    const { evidence } = await playUnderFaults(stand, {
      ...{ workload: 'election', clients: 5, ttlMs: 2_000, seconds, ...pace },
      nemeses: [
        'the holder killed',
        'the holder stopped',
        'a client killed at hold.granted',
        'the leader killed',
      ],
    });
    const tickets = livesRightBelow(livesOf(evidence.changes), `${namespace}/election/e/`);
    const campaigns = operationsOf(evidence.entries).filter(
      ({ call, outcome }) => call === 'campaign' && outcome === 'ok',
    );
    // Of those who stood next in line when the one before resigned.
    const delays = operationsOf(evidence.entries).flatMap(({ call, outcome, input, invokedAt }) => {
      if (call !== 'resign' || outcome !== 'ok') return [];
      const token = input['token'] as number;
      const gone = tickets.find(({ createRevision }) => createRevision === token);
      const next = tickets.find(
        ({ createRevision, deleteRevision }) =>
          createRevision > token &&
          createRevision < (gone?.deleteRevision ?? 0) &&
          deleteRevision > (gone?.deleteRevision ?? 0),
      );
      const campaign = campaigns.find(({ output }) => output['token'] === next?.createRevision);
      return campaign ? [campaign.returnedAt - invokedAt] : [];
    });
    stand.spread('failover after a resignation', delays);
  },
};

export const rounds: Scenario = {
  number: 27,
  title:
    'Rounds of a double barrier whose parties are killed: nobody passes early, and the next round is clean',
  tier: 'P',
  needs: [],
  /** Rounds. */
  repetitions: { full: 100, tenth: 10 },
  async run(stand, repetitions) {
    const { evidence } = await playUnderFaults(stand, {
      ...{ workload: 'double-barrier', clients: 5, ttlMs: 2_000, seconds: repetitions, ...pace },
      nemeses: [
        'a client killed',
        'a client killed at barrier.waiting',
        'a client killed at ticket.taken',
        ...deathsOfMembers,
      ],
    });
    const passed = operationsOf(evidence.entries).filter(
      ({ call, outcome }) => call === 'enter' && outcome === 'ok',
    );
    const count = new Set(passed.map(({ output }) => output['generation'])).size;
    stand.figure('rounds that somebody entered', count);
    stand.expect(count > 0, 'no round was entered');
    await untilEightPass(stand, repetitions);
  },
};

/** Eight parties, round after round. */
async function untilEightPass(stand: Stand, repetitions: number): Promise<void> {
  const parties = 8;
  await using rig = await Rig.start({ tier: 'loopback', members: 1, clients: 1 });
  await using conclave = await connect({ endpoints: rig.endpoints, namespace });
  let inside = 0;
  for (let round = 0; round < repetitions; round++) {
    await Promise.all(
      range(parties).map(() =>
        conclave.doubleBarrier('eight', { parties }).run(async () => {
          inside++;
          await until('all are inside', () => inside >= parties * (round + 1));
        }),
      ),
    );
    stand.expect(inside === parties * (round + 1), `round ${round}: ${inside} have been inside`);
  }
}
