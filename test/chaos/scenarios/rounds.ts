import { livesOf, livesRightBelow } from '../../history/lives.js';
import { type Operation, operationsOf } from '../../history/record.js';
import { Random } from '../../../src/testing/random.js';
import { anyClient } from '../nemesis/targets.js';
import { judge } from '../judge.js';
import { namespace, Stage } from '../stage.js';
import { deathsIn } from './estates.js';
import type { Scenario, Stand } from './scenario.js';
import { deathsOfMembers, playUnderFaults } from './under-faults.js';
import { until } from './until.js';

const parties = 8;
/** One of them dies at the end of so many rounds. */
const roundsPerDeath = 5;

export const rounds: Scenario = {
  number: 27,
  title: `Rounds of a double barrier of ${parties}, of whom one is killed each ${roundsPerDeath}th round: nobody passes early, and the next round is clean`,
  tier: 'P',
  needs: [],
  /** Rounds. */
  repetitions: { full: 100, tenth: 5 },
  async run(stand, repetitions) {
    await killAmongEight(stand, repetitions);
    const { evidence } = await playUnderFaults(stand, {
      ...{ workload: 'double-barrier', clients: 5, ttlMs: 2_000, seconds: Math.max(5, repetitions / 2) },
      ...{ lengthMs: [100, 2_500], pauseMs: [0, 800] },
      nemeses: [
        'a client killed',
        'a client killed at barrier.waiting',
        'a client killed at ticket.taken',
        ...deathsOfMembers,
      ],
    });
    const passed = entersIn(operationsOf(evidence.entries)).filter(({ outcome }) => outcome === 'ok');
    const count = new Set(passed.map(({ output }) => output['generation'])).size;
    stand.figure('rounds of three that somebody entered', count);
    stand.expect(count > 0, 'no round was entered');
  },
};

async function killAmongEight(stand: Stand, repetitions: number): Promise<void> {
  const { seed } = stand;
  const random = new Random(seed).split(2);
  await using stage = await Stage.start({
    ...{ workload: 'barrier-of-eight', tier: 'loopback', clients: parties, ttlMs: 3_000, seed },
  });
  const tripped = (): number => {
    const prefix = `${namespace}/double-barrier/d/out/`;
    const outcomes = livesRightBelow(livesOf(stage.recorder.changes), prefix);
    return outcomes.filter(({ forms }) => forms[0]?.value.includes('"kind":"tripped"')).length;
  };
  for (let deaths = 0; deaths < repetitions / roundsPerDeath; deaths++) {
    const before = tripped();
    await until(`${roundsPerDeath} more rounds`, () => tripped() >= before + roundsPerDeath);
    const place = await anyClient.aim(stage, random);
    await stage.rig.client(place)?.kill();
    await stage.revive(place);
    const atDeath = tripped();
    // The first may have been filled before; of the second one all must be alive.
    await until('two more rounds after a death', () => tripped() >= atDeath + 2);
  }
  stand.add([...(await stage.settle()).violations, ...(await stage.end())]);
  const evidence = await stage.evidence();
  stand.add(judge(stage.workload, evidence));
  const dead = new Set(deathsIn(evidence.entries).map(({ process }) => process));
  const survivors = operationsOf(evidence.entries).filter(({ client }) => !dead.has(client));
  const ends = new Map<string, number>();
  for (const { call, outcome, error } of survivors) {
    const end = `${call}: ${outcome === 'ok' ? outcome : String(error)}`;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  stand.figure('rounds of eight, killed', `${tripped()}, ${dead.size}`);
  stand.figure('survivors', [...ends].map(([end, times]) => `${times} ${end}`).join(', '));
  stage.conclude(evidence, stand.violations);
}

const entersIn = (operations: readonly Operation[]): Operation[] =>
  operations.filter(({ call }) => call === 'enter');
