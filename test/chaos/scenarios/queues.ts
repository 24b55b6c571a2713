import { setTimeout as delay } from 'node:timers/promises';
import { operationsOf } from '../../history/record.js';
import { Random } from '../../../src/testing/random.js';
import { storedJobs } from '../../workload/stored-jobs.js';
import { judge } from '../judge.js';
import { producers, queueName } from '../loads/many-jobs.js';
import { anyMember } from '../nemesis/targets.js';
import { namespace, Stage } from '../stage.js';
import { deathsIn } from './estates.js';
import type { Scenario, Stand } from './scenario.js';
import { deaths, deathsOfMembers, lossesIn, playUnderFaults } from './under-faults.js';

const consumers = 6;
/** One consumer dies each so many jobs, and a member with each fifth of them. */
const jobsPerDeath = 200;
/** Or after so long: on a slow machine all deaths come in about five minutes, and the last jobs after them. */
const deathPauseMs = 2_300;
const lastJobsMs = 600_000;
/** Clients of a process: it has as many jobs in its hands. */
const desks = 2;

export const queueUnderFaults: Scenario = {
  number: 22,
  title: 'A queue whose clients and members are killed: nothing acknowledged is lost, nothing is done twice',
  tier: 'L',
  needs: [],
  /** Jobs. */
  repetitions: { full: 20_000, tenth: 2_000 },
  async run(stand, repetitions) {
    await killConsumers(stand, repetitions);
    for (const workload of ['queue', 'priority-queue', 'retry-queue'])
      await playUnderFaults(stand, {
        ...{ workload, clients: 5, desks: 2, ttlMs: 3_000, seconds: Math.max(6, repetitions / 500) },
        ...{ nemeses: [...deaths, ...deathsOfMembers], lengthMs: [100, 1_500], pauseMs: [0, 500] },
      });
  },
};

async function killConsumers(stand: Stand, repetitions: number): Promise<void> {
  const { seed } = stand;
  const random = new Random(seed).split(2);
  await using stage = await Stage.start({
    ...{ workload: 'many-jobs', tier: 'loopback', clients: producers + consumers, desks, ttlMs: 5_000, seed },
  });
  const bodies = `${namespace}/queue/${queueName}/job/`;
  let put = 0;
  stage.recorder.onChange(({ key, version }) => {
    if (version === 1 && key.startsWith(bodies)) put++;
  });
  const startedAt = performance.now();
  let members = 0;
  for (let kills = 1; kills <= repetitions / jobsPerDeath; kills++) {
    const patience = performance.now() + deathPauseMs;
    while (put < kills * jobsPerDeath && performance.now() < patience) await delay(20);
    const place = producers + Math.floor(random.between(0, consumers));
    await stage.rig.client(place)?.kill();
    if (kills % 5 === 0) {
      const member = await anyMember.aim(stage, random);
      await stage.rig.cluster.kill(member);
      await delay(random.between(100, 1_000));
      await stage.rig.cluster.restart(member);
      members++;
    }
    await stage.revive(place);
  }
  const patience = performance.now() + lastJobsMs;
  while (put < repetitions && performance.now() < patience) await delay(20);
  stand.expect(put >= repetitions, `only ${put} jobs were put`);
  stand.figure(
    'jobs put',
    `${put} of ${repetitions} in ${Math.round((performance.now() - startedAt) / 1_000)} s`,
  );
  stand.add([...(await stage.settle()).violations, ...(await stage.end())]);
  const evidence = await stage.evidence();
  stand.add(judge(stage.workload, evidence));
  const jobs = storedJobs(evidence.changes, namespace, queueName);
  const done = jobs.filter(({ claims }) => claims.filter(({ end }) => end === 'done').length === 1);
  const again = jobs.reduce((sum, { claims }) => sum + Math.max(0, claims.length - 1), 0);
  const dead = deathsIn(evidence.entries).length;
  const acks = operationsOf(evidence.entries).filter(
    ({ call, outcome }) => call === 'ack' && outcome === 'ok',
  );
  stand.figure('consumers and members killed', `${dead}, ${members}`);
  stand.figure('jobs', `${jobs.length} put, ${done.length} done, ${acks.length} acknowledged for sure`);
  stand.figure('delivered again', again);
  stand.expect(done.length === jobs.length, `${jobs.length - done.length} jobs were not done exactly once`);
  const losses = lossesIn(evidence.entries).length;
  stand.expect(
    again <= desks * dead + losses,
    `${again} deliveries again, by ${dead} deaths and ${losses} losses`,
  );
  stage.conclude(evidence, stand.violations);
}
