import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '../../../src/index.js';
import { Random } from '../../../src/testing/random.js';
import { notesOf } from '../../history/record.js';
import type { Evidence } from '../../workload/workload.js';
import { monotonicMs } from '../client/paper.js';
import { replaceMember } from '../../rig/replace-member.js';
import { judge } from '../judge.js';
import { compacted, defragmented } from '../nemesis/maintenance.js';
import { anyClient, range } from '../nemesis/targets.js';
import type { Footprint } from '../player.js';
import { Rig } from '../rig/rig.js';
import { type RunOptions, suffer } from '../run.js';
import { namespace, Stage } from '../stage.js';
import { agesOf, estatesIn } from './estates.js';
import type { Scenario, Stand } from './scenario.js';
import { judgeWakeUps } from './wake-ups.js';
import { deathsOfMembers, expectJudged, expectStruck, lossesIn, playUnderFaults } from './under-faults.js';

export const allKilled: Scenario = {
  number: 17,
  title: 'All members killed at once, and started again: nothing wrong, all served',
  tier: 'L',
  needs: [],
  repetitions: { full: 4, tenth: 1 },
  async run(stand, repetitions) {
    for (const workload of ['register', 'queue', 'election'])
      await playUnderFaults(stand, {
        ...{ workload, clients: 4, ttlMs: 3_000, seconds: 3_600, limit: repetitions, fsync: true },
        ...{ nemeses: ['all members killed'], lengthMs: [5_000, 5_000], pauseMs: [2_000, 6_000] },
      });
  },
};

export const compactions: Scenario = {
  number: 18,
  title: 'History compacted each 200 ms, members defragmented: no wake-up is missed, nobody hangs',
  tier: 'L',
  needs: [],
  /** Seconds. */
  repetitions: { full: 300, tenth: 12 },
  async run(stand, seconds) {
    for (const workload of ['mutex', 'queue', 'double-barrier', 'election']) {
      const share = seconds / 8;
      const options = { workload, clients: 4, ttlMs: 3_000, seconds: share };
      const throughout = ['history compacted all the time', 'members defragmented all the time'];
      const { evidence } = await playUnderFaults(stand, { ...options, throughout, nemeses: [] });
      judgeWakeUps(stand, workload, evidence);
      expectMaintenance(stand, { name: workload, seconds: share, evidence });
      const nemeses = ['a client stopped', 'a client cut off from a member'];
      const hit = await playUnderFaults(stand, { ...options, throughout, nemeses });
      const name = `${workload} among faults`;
      expectMaintenance(stand, { name, seconds: share, evidence: hit.evidence });
    }
  },
};

/** At least a tenth of what was tried: a slow machine does it more seldom. */
function expectMaintenance(stand: Stand, { name, seconds, evidence }: Maintained): void {
  for (const { note, intervalMs } of [compacted, defragmented]) {
    const times = notesOf(evidence.entries).filter(({ what }) => what === note).length;
    stand.figure(`${name}: ${note}`, `${times} times`);
    const least = Math.max(1, (seconds * 1_000) / intervalMs / 10);
    stand.expect(times >= least, `${name}: ${note} only ${times} times in ${seconds} s`);
  }
}

interface Maintained {
  readonly name: string;
  readonly seconds: number;
  readonly evidence: Evidence;
}

export const rollingRestart: Scenario = {
  number: 20,
  title:
    'Members restarted one by one, and replaced, while 8 sessions hold locks: none is lost, no call fails',
  tier: 'L',
  needs: [],
  repetitions: { full: 5, tenth: 1 },
  async run(stand, repetitions) {
    await using rig = await Rig.start({ tier: 'loopback', clients: 1 });
    const options = { endpoints: rig.endpoints, namespace, sessionTtlMs: 10_000 };
    const clients = await Promise.all(range(8).map(() => connect(options)));
    const holds = await Promise.all(clients.map((each, i) => each.mutex(`held-${i}`).acquire()));
    const errors: string[] = [];
    const stop = new AbortController();
    let taken = 0;
    const working = clients.map(async (each) => {
      while (!stop.signal.aborted) {
        await each
          .mutex('busy')
          .run(() => taken++)
          .catch((error: unknown) => errors.push(String(error)));
        await delay(50);
      }
    });
    for (let time = 0; time < repetitions; time++) {
      for (const member of range(rig.members)) {
        await rig.cluster.end(member);
        await rig.cluster.restart(member);
        await delay(1_000);
      }
      await replaceMember(rig.cluster, time % rig.members);
      await delay(1_000);
    }
    stop.abort();
    await Promise.all(working);
    stand.figure('locks taken meanwhile', taken);
    stand.figure('calls that failed', errors.length);
    stand.expect(
      holds.every((hold) => hold.isHeld()),
      'a session was lost',
    );
    stand.expect(rig.cluster.crashes.length === 0, `members failed: ${rig.cluster.crashes.join('; ')}`);
    stand.expect(errors.length === 0, `calls failed: ${errors.slice(0, 3).join('; ')}`);
    await Promise.all(clients.map((each) => each.close()));
  },
};

/** How long there is no leader, about. */
const electionMs = 1_500;

/** Does something now and then until the signal aborts. */
async function sample(signal: AbortSignal, intervalMs: number, work: () => Promise<void>): Promise<void> {
  for (;;) {
    await delay(intervalMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    await work();
  }
}

export const leaderless: Scenario = {
  number: 21,
  title:
    'The leader killed every 5 seconds: whoever renews loses nothing, and the leases of the dead end after all',
  tier: 'L',
  needs: [],
  /** How often. */
  repetitions: { full: 60, tenth: 4 },
  async run(stand, repetitions) {
    const { seed } = stand;
    const ttlMs = 5_000;
    await using stage = await Stage.start({
      workload: 'register',
      tier: 'loopback',
      clients: 4,
      ttlMs,
      seed,
    });
    const firstTerm = await stage.rig.term();
    const terms: { readonly at: number; readonly term: number }[] = [];
    const stop = new AbortController();
    const counting = sample(stop.signal, 200, async () => {
      terms.push({ at: monotonicMs(), term: await stage.rig.term() });
    });
    const random = new Random(seed).split(2);
    const dying = sample(stop.signal, 12_000, async () => {
      const place = await anyClient.aim(stage, random);
      await stage.rig.client(place)?.kill();
      await stage.revive(place);
    });
    const options: RunOptions = {
      ...{ workload: 'register', tier: 'loopback', seed, seconds: 3_600, limit: repetitions },
      ...{ nemeses: ['the leader killed'], lengthMs: [500, 1_500], pauseMs: [2_500, 4_000] },
    };
    const schedule = await suffer(stage, options);
    stop.abort();
    await Promise.all([counting, dying]);
    stand.add([...(await stage.settle()).violations, ...(await stage.end())]);
    const evidence = await stage.evidence();
    stand.add(judge(stage.workload, evidence));
    const losses = lossesIn(evidence.entries);
    stand.expect(losses.length === 0, `lost: ${JSON.stringify(losses.slice(0, 3))}`);
    const termAt = (time: number): number => terms.findLast(({ at }) => at <= time)?.term ?? 0;
    const estates = estatesIn(evidence, 'lock/');
    const excesses = estates.map(({ diedAt, ticket: { deletedAt } }) => {
      // What is being elected when it ends counts as well.
      const elections = Math.max(0, termAt(deletedAt) - termAt(diedAt));
      return deletedAt - diedAt - (elections + 1) * ttlMs - elections * electionMs;
    });
    expectStruck(stand, 'register', schedule);
    expectJudged(stand, 'register', evidence);
    const elections = Math.max(...terms.map(({ term }) => term)) - firstTerm;
    stand.figure('elections', elections);
    stand.expect(2 * elections >= schedule.length, 'those who were killed did not lead');
    if (repetitions >= 30) stand.expect(estates.length > 0, 'nobody died with a ticket: nothing was shown');
    stand.spread('leases of dead clients ended after their death', agesOf(estates));
    stand.figure('later than (elections + 1) TTL and the elections, ms', Math.round(Math.max(...excesses)));
    stand.expect(
      excesses.every((ms) => ms <= 2_000),
      'the lease of a dead client was prolonged for longer than elections explain',
    );
    stage.conclude(evidence, stand.violations, { schedule });
  },
};

export const soak: Scenario = {
  number: 29,
  title: 'A long run among faults: neither memory nor connections grow, and all ends in order',
  tier: 'L',
  needs: [],
  /** Minutes. */
  repetitions: { full: 40, tenth: 1 },
  async run(stand, minutes) {
    const { seed } = stand;
    const desks = 2;
    const options: Omit<RunOptions, 'seconds'> = {
      ...{ workload: 'mutex', tier: 'loopback', clients: 4, desks, ttlMs: 3_000, seed },
      nemeses: [...deathsOfMembers, 'a client stopped', 'history compacted', 'responses to a client lost'],
    };
    await using stage = await Stage.start(options);
    const first = await suffer(stage, { ...options, seconds: minutes * 15 });
    stand.add((await stage.settle()).violations);
    const footprints = (): Promise<Footprint[]> => Promise.all(stage.players.map((each) => each.footprint()));
    const before = await footprints();
    const second = await suffer(stage, { ...options, seed: seed + 1, seconds: minutes * 45 });
    const schedule = [...first, ...second];
    expectStruck(stand, 'mutex', schedule);
    stand.add((await stage.settle()).violations);
    const growth = async (): Promise<{ readonly megabytes: number[]; readonly sockets: number[] }> => {
      const after = await footprints();
      const megabytes = after.map((each, i) => Math.round(each.megabytes - (before[i]?.megabytes ?? 0)));
      return { megabytes, sockets: after.map((each, i) => each.sockets - (before[i]?.mostSockets ?? 0)) };
    };
    // In the first minutes it still grows: code is compiled, buffers find their size.
    const mostMegabytes = minutes >= 20 ? 20 : 40;
    const isFine = ({ megabytes, sockets }: Awaited<ReturnType<typeof growth>>): boolean =>
      Math.max(...megabytes) < mostMegabytes && Math.max(...sockets) <= 2 * desks;
    // Connections that were broken may still be about to end.
    let grown = await growth();
    for (let times = 0; times < 10 && !isFine(grown); times++) grown = await growth();
    stand.figure('memory grown by, MB', grown.megabytes.join(', '));
    stand.figure('sockets more', grown.sockets.join(', '));
    stand.expect(isFine(grown), 'memory grows, or connections are left open');
    stand.add(await stage.end());
    const evidence = await stage.evidence();
    stand.add(judge(stage.workload, evidence));
    expectJudged(stand, 'mutex', evidence);
    stage.conclude(evidence, stand.violations, { schedule });
  },
};
