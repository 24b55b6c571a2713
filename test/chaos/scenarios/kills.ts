import { operationsOf } from '../../history/record.js';
import { run } from '../run.js';
import { deathsIn } from './estates.js';
import type { Scenario, Stand } from './scenario.js';
import { expectJudged, expectStruck } from './under-faults.js';

const nemeses = [
  'a client killed',
  'the holder killed',
  'a member killed',
  'the leader killed',
  'a client killed at ticket.taken',
  'a client killed at hold.granted',
  'a client killed at hold.release',
];

async function killAndJudge(stand: Stand, repetitions: number): Promise<void> {
  const { seed } = stand;
  const { violations, schedule, evidence, settledMs } = await run({
    ...{ workload: 'register', tier: 'loopback', clients: 6, ttlMs: 2_000, seed },
    ...{ nemeses, limit: repetitions, seconds: 60 * 60, lengthMs: [100, 1_200], pauseMs: [0, 600] },
  });
  const seconds = ((schedule.at(-1)?.to ?? 0) - (schedule[0]?.from ?? 0)) / 1_000;
  const clients = deathsIn(evidence.entries).length;
  const members = schedule.filter(({ nemesis }) => / (member|leader) killed$/.test(nemesis)).length;
  if (repetitions >= 30)
    stand.expect(clients > 0 && members > 0, 'only clients were killed, or only members');
  stand.add(violations);
  expectStruck(stand, 'register', schedule);
  expectJudged(stand, 'register', evidence);
  const operations = operationsOf(evidence.entries);
  const count = (call: string): string => {
    const ofCall = operations.filter((each) => each.call === call);
    const ok = ofCall.filter(({ outcome }) => outcome === 'ok').length;
    return `${ok} of ${ofCall.length}`;
  };
  stand.figure('killed', `${clients} clients and ${members} members in ${Math.round(seconds)} s`);
  stand.figure('locks taken, numbers counted', `${count('acquire')}, ${count('write')} acknowledged`);
  stand.figure('all served after the last', `${Math.round(settledMs)} ms`);
}

const title =
  'Members and clients killed among lock traffic: no overlap, nothing acknowledged lost, all served';

export const kills: Scenario = {
  number: 8,
  title,
  tier: 'P',
  needs: [],
  repetitions: { full: 30, tenth: 6 },
  run: killAndJudge,
};

export const manyKills: Scenario = {
  ...kills,
  tier: 'L',
  repetitions: { full: 200, tenth: 20 },
};
