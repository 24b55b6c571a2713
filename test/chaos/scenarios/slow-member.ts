import { setTimeout as delay } from 'node:timers/promises';
import { type Entry, operationsOf } from '../../history/record.js';
import { monotonicMs } from '../client/paper.js';
import { judge } from '../judge.js';
import { Stage } from '../stage.js';
import type { Scenario, Stand } from './scenario.js';
import { expectJudged, lossesIn } from './under-faults.js';
import { until } from './until.js';

const ttlMs = 5_000;

export const slowMember: Scenario = {
  number: 31,
  title: 'A leader whose disk is slow, then one almost without a processor: no lease is lost',
  tier: 'P',
  needs: ['strace', 'cpu quota'],
  /** Seconds of each. */
  repetitions: { full: 30, tenth: 5 },
  async run(stand, repetitions) {
    const { seed } = stand;
    await using stage = await Stage.start({
      ...{ workload: 'register', tier: 'loopback', clients: 4, ttlMs, seed, fsync: true },
    });
    const { rig } = stage;
    const leader = (): Promise<number> => until('there is a leader', () => rig.leader());
    const spans: [name: string, from: number, to: number][] = [];
    const during = async (name: string, begin: () => Promise<() => Promise<void>>): Promise<void> => {
      const undo = await begin();
      const from = monotonicMs();
      await delay(repetitions * 1_000);
      spans.push([name, from, monotonicMs()]);
      await undo();
    };
    await during('disk slow by 300 ms', async () => rig.slowDisk(await leader(), 300));
    await during('processor at 1 %', async () => rig.limitCpu(await leader(), 1));
    stand.add([...(await stage.settle()).violations, ...(await stage.end())]);
    const evidence = await stage.evidence();
    stand.add(judge(stage.workload, evidence));
    expectJudged(stand, 'register', evidence);
    for (const [name, from, to] of spans) report(stand, name, within(evidence.entries, from, to));
    // To the end: what could not be renewed is lost a TTL later, when the member may be well again.
    const lost = lossesIn(evidence.entries).length;
    stand.expect(lost === 0, `${lost} holds were lost`);
    stage.conclude(evidence, stand.violations);
  },
};

const within = (entries: readonly Entry[], from: number, to: number): Entry[] =>
  entries.filter(({ at }) => from <= at && at <= to);

function report(stand: Stand, name: string, entries: readonly Entry[]): void {
  const acquired = operationsOf(entries).filter(
    ({ call, outcome }) => call === 'acquire' && outcome === 'ok',
  );
  stand.expect(acquired.length > 0, `${name}: nobody has acquired anything`);
  stand.spread(
    `${name}: acquired`,
    acquired.map(({ invokedAt, returnedAt }) => returnedAt - invokedAt),
  );
}
