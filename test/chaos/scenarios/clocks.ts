import { setTimeout as delay } from 'node:timers/promises';
import { EtcdTransport } from '../../../src/etcd/transport.js';
import { Conclave } from '../../../src/index.js';
import { Random } from '../../../src/testing/random.js';
import { Clock } from '../client/clock.js';
import { judge } from '../judge.js';
import { pick, range } from '../nemesis/targets.js';
import { Recorder } from '../recorder.js';
import { between, client, member } from '../rig/node.js';
import { MemberClocks } from '../rig/member-clock.js';
import { Rig } from '../rig/rig.js';
import { suffer } from '../run.js';
import { namespace, Stage } from '../stage.js';
import type { Scenario, Stand } from './scenario.js';
import { expectJudged, expectStruck, lossesIn, playUnderFaults } from './under-faults.js';
import { until } from './until.js';

export const clocks: Scenario = {
  number: 14,
  title:
    'Clocks at half and twice the rate, and that jump by 30 s: all is fenced; by a fifth at most: nobody needs the fence',
  tier: 'L',
  needs: [],
  /** Seconds. */
  repetitions: { full: 120, tenth: 12 },
  async run(stand, seconds) {
    const options = { workload: 'register', clients: 6, ttlMs: 3_000, seconds: seconds / 3 };
    await playUnderFaults(stand, {
      ...{ ...options, clockRates: [0.5, 2, 1.2, 1, 0.5, 0.5], lengthMs: [3_000, 6_000] },
      nemeses: ['the holder stopped', 'the holder cut off from all members'],
    });
    for (const workload of ['register', 'retry-queue'])
      await playUnderFaults(stand, {
        ...{ ...options, workload, clients: 4, lengthMs: [500, 4_000] },
        nemeses: ['the wall clock of a client jumps', 'the holder stopped'],
      });
    const slow = await looksAtEnd(1 / 1.2);
    const tooSlow = await looksAtEnd(1 / 2);
    stand.figure('said to be held after the store gave it away, clock at 1/1.2 of the store’s', ofAll(slow));
    stand.figure('the same at half of it, which needs the fence', ofAll(tooSlow));
    stand.expect(!slow.includes(true), 'a clock slower by a fifth was not tolerated');
    stand.expect(tooSlow.includes(true), 'a clock at half the rate was noticed: nothing was shown');
  },
};

/** What the clock of a leader does: the rate, and how far it jumps. */
const oddities = [
  { rate: 2, jumpMs: 0 },
  { rate: 0.5, jumpMs: 0 },
  { rate: 1, jumpMs: 30_000 },
  { rate: 1, jumpMs: -30_000 },
];
const oddityMs = 4_000;

export const leaderClock: Scenario = {
  number: 14,
  title:
    'The clock of whoever leads at half and twice the rate, and jumping by 30 s: leases end too soon or too late, and all is fenced',
  tier: 'L',
  needs: ['gcc'],
  /** Seconds. */
  repetitions: { full: 40, tenth: 10 },
  run: misleadLeader,
};

/** Holders stopped, while the clock of whoever leads goes wrong. */
async function misleadLeader(stand: Stand, seconds: number): Promise<void> {
  const { seed } = stand;
  const random = new Random(seed).split(3);
  using clocks = new MemberClocks(3);
  const options = { workload: 'register', tier: 'loopback', clients: 4, ttlMs: 3_000, seed } as const;
  await using stage = await Stage.start({ ...options, enter: clocks.enter });
  const ahead = range(stage.rig.members).map(() => 0);
  const term = await stage.rig.term();
  const done: string[] = [];
  const stop = new AbortController();
  const misleading = (async () => {
    while (!stop.signal.aborted) {
      const member = await stage.rig.leader();
      if (member !== undefined) {
        const { rate, jumpMs } = pick(random, oddities);
        const aheadMs = (ahead[member] ?? 0) + jumpMs;
        ahead[member] = aheadMs;
        clocks.set(member, { rate, aheadMs });
        await delay(oddityMs, undefined, { signal: stop.signal }).catch(() => {});
        // Not back: timers would wait for it.
        clocks.set(member, { aheadMs });
        done.push(jumpMs === 0 ? `rate ${rate}` : `${jumpMs / 1_000} s`);
      } else await delay(100);
    }
  })();
  const nemeses = ['the holder stopped', 'the holder cut off from all members'];
  const schedule = await suffer(stage, { ...options, nemeses, seconds });
  stop.abort();
  await misleading;
  const elections = (await stage.rig.term()) - term;
  stand.add([...(await stage.settle()).violations, ...(await stage.end())]);
  const evidence = await stage.evidence();
  stand.add(judge(stage.workload, evidence));
  const losses = lossesIn(evidence.entries).length;
  stand.figure('the clock of the leader', `${done.join(', ')}: ${losses} holds lost, ${elections} elections`);
  expectStruck(stand, 'register', schedule);
  expectJudged(stand, 'register', evidence);
  stand.expect(done.length > 0, 'no clock went wrong: nothing was shown');
  stage.conclude(evidence, stand.violations, { schedule });
}

const ofAll = (looks: readonly boolean[]): string =>
  `${looks.filter((isHeld) => isHeld).length} of ${looks.length}`;

/** Holders whose clocks go at a rate, cut off. @returns whether each said that it holds when its ticket went */
async function looksAtEnd(rate: number): Promise<boolean[]> {
  const places = range(5);
  await using rig = await Rig.start({ tier: 'loopback', clients: places.length });
  await using recorder = new Recorder(rig.endpoints);
  const runtime = new Clock(rate).runtime();
  const clients = places.map((place) => {
    const transport = new EtcdTransport({
      endpoints: rig.endpointsFor(place),
      runtime,
      dialTimeoutMs: 5_000,
    });
    return Conclave.over(transport, { runtime, namespace, sessionTtlMs: 3_000 });
  });
  const holds = await Promise.all(clients.map((each, i) => each.mutex(`slow-${i}`).acquire()));
  const looks = new Map<string, boolean>();
  recorder.onChange(({ key, type }) => {
    const hold = holds.find((each) => each.key === key);
    if (hold && type === 'delete') looks.set(key, hold.isHeld());
  });
  await rig.links.cut(between(places.map(client), range(rig.members).map(member)));
  await until('all have lost their leases', () => looks.size === holds.length);
  await rig.links.heal();
  await Promise.all(clients.map((each) => each.close()));
  return [...looks.values()];
}
