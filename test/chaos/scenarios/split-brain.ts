import { setTimeout as delay } from 'node:timers/promises';
import { livesOf } from '../../history/lives.js';
import { notesOf, type Operation, operationsOf } from '../../history/record.js';
import type { Evidence } from '../../workload/workload.js';
import { Random } from '../../../src/testing/random.js';
import { judge } from '../judge.js';
import { monotonicMs } from '../client/paper.js';
import { nemesisNamed } from '../nemesis/nemeses.js';
import { Stage } from '../stage.js';
import type { Scenario } from './scenario.js';
import { expectJudged } from './under-faults.js';
import { until } from './until.js';

const ttlMs = 3_000;
/** At least; an election may take longer. */
const partitionMs = 8_000;
/** The leases are prolonged by a TTL if a leader is elected, which takes its time, and more on a slow machine. */
const takeoverMs = 2 * ttlMs + 3_000 + 10_000;
/** So many more partitions at most, if none has hit somebody who held. */
const moreTries = 3;

interface Partition {
  readonly from: number;
  readonly to: number;
  /** Whoever held when it was about to begin. */
  readonly holder: string;
}

export const splitBrain: Scenario = {
  number: 15,
  title:
    'The holder with one member on the smaller side of a partition: the larger side has the lock in time, and it knew before',
  tier: 'P',
  needs: ['netns'],
  repetitions: { full: 10, tenth: 1 },
  async run(stand, repetitions) {
    const { seed } = stand;
    await using stage = await Stage.start({ workload: 'register', tier: 'netns', clients: 2, ttlMs, seed });
    const nemesis = nemesisNamed('a member alone with the holder');
    const partitions: Partition[] = [];
    const isShown = async (): Promise<boolean> => {
      const evidence = await stage.evidence();
      return partitions.some((each) => heldWhenCutOff(evidence, each) !== undefined);
    };
    for (let time = 0; time < repetitions + moreTries; time++) {
      if (time >= repetitions && (await isShown())) break;
      const place = await until('somebody holds', () => stage.holder());
      const player = stage.player(place);
      // It would else have given back before the partition is there.
      player.aim({ probe: 'use.write', nth: 1, act: 'tell' });
      const passed = player.passed('use.write');
      await until('the holder writes', () => player.passed('use.write') > passed);
      const from = monotonicMs();
      const undo = await nemesis.begin({ rig: stage.rig, holder: () => place }, new Random(seed).split(time));
      await delay(partitionMs);
      const other = stage.player(1 - place);
      const before = other.passed('use.write');
      other.aim({ probe: 'use.write', nth: 1, act: 'tell' });
      await until('the larger side writes', () => other.passed('use.write') > before);
      await undo();
      partitions.push({ from, to: monotonicMs(), holder: player.name });
      const rounds = stage.players.map((each) => each.rounds);
      await until('all go on', () => stage.players.every((each, i) => each.rounds > (rounds[i] ?? 0)));
    }
    const { violations } = await stage.settle();
    stand.add([...violations, ...(await stage.end())]);
    const evidence = await stage.evidence();
    stand.add(judge(stage.workload, evidence));
    expectJudged(stand, 'register', evidence);
    const losses = notesOf(evidence.entries).filter(({ what }) => what === 'lost');
    const takeovers: number[] = [];
    let looked = 0;
    for (const partition of partitions) {
      const { from, to, holder } = partition;
      const next = grantsIn(evidence).find(
        ({ client, returnedAt }) => client !== holder && returnedAt > from && returnedAt < to,
      );
      stand.expect(next !== undefined, `nobody took over within the partition`);
      if (next) takeovers.push(next.returnedAt - from);
      const key = heldWhenCutOff(evidence, partition);
      if (!next || key === undefined) continue;
      looked++;
      const lost = losses.find(({ client, facts }) => client === holder && facts['key'] === key);
      stand.expect(
        lost !== undefined && lost.at < next.returnedAt,
        `${holder} was not told before ${next.client} was granted it`,
      );
    }
    stand.figure('holders that were cut off while they held', `${looked} of ${partitions.length}`);
    stand.expect(looked > 0, 'no holder was cut off: nothing was shown');
    stand.spread('lock taken over after the partition began', takeovers);
    stand.expect(Math.max(...takeovers) <= takeoverMs, 'the larger side had the lock late');
    stage.conclude(evidence, stand.violations);
  },
};

const grantsIn = ({ entries }: Evidence): Operation[] =>
  operationsOf(entries).filter(({ call, outcome }) => call === 'acquire' && outcome === 'ok');

/** The key of the ticket with which it held; undefined if it had given back just before. */
function heldWhenCutOff(evidence: Evidence, { from, holder }: Partition): string | undefined {
  const own = grantsIn(evidence).findLast(({ client, returnedAt }) => client === holder && returnedAt < from);
  const ticket = livesOf(evidence.changes).find(({ key }) => key === own?.output['key']);
  return ticket && ticket.deletedAt > from + ttlMs / 2 ? ticket.key : undefined;
}
