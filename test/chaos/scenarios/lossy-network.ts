import { setTimeout as delay } from 'node:timers/promises';
import { operationsOf } from '../../history/record.js';
import { monotonicMs } from '../client/paper.js';
import { judge } from '../judge.js';
import { client, from, member } from '../rig/node.js';
import { range } from '../nemesis/targets.js';
import { Stage } from '../stage.js';
import type { Scenario } from './scenario.js';
import { expectJudged } from './under-faults.js';

const losses = [0.1, 0.3, 0.5];

export const lossyNetwork: Scenario = {
  number: 16,
  title:
    'Packets late by 40 ms, doubled, and up to half of them lost, everywhere: nothing wrong; locks are taken with a tenth lost, and all goes on once it is mended',
  tier: 'P',
  needs: ['netns'],
  /** Seconds of each loss. */
  repetitions: { full: 15, tenth: 5 },
  async run(stand, repetitions) {
    const { seed } = stand;
    await using stage = await Stage.start({
      workload: 'register',
      tier: 'netns',
      clients: 6,
      ttlMs: 5_000,
      seed,
    });
    const { rig } = stage;
    const all = [...range(rig.members).map(member), ...range(rig.clients).map(client)];
    const spans: { readonly loss: number; readonly from: number; readonly to: number }[] = [];
    for (const loss of losses) {
      const quality = { loss, delayMs: 40, jitterMs: 10, duplicates: 0.02 };
      const undo = await rig.links.degrade(from(all, all), quality);
      const begin = monotonicMs();
      await delay(repetitions * 1_000);
      spans.push({ loss, from: begin, to: monotonicMs() });
      await undo();
    }
    stand.add([...(await stage.settle()).violations, ...(await stage.end())]);
    const evidence = await stage.evidence();
    stand.add(judge(stage.workload, evidence));
    expectJudged(stand, 'register', evidence);
    const grants = operationsOf(evidence.entries).filter(
      ({ call, outcome }) => call === 'acquire' && outcome === 'ok',
    );
    for (const { loss, from, to } of spans) {
      const count = grants.filter(({ returnedAt }) => from <= returnedAt && returnedAt <= to).length;
      stand.figure(`locks taken with a loss of ${loss * 100} %`, `${count} in ${repetitions} s`);
      if (loss === losses[0]) stand.expect(count > 0, `nobody took a lock with a loss of ${loss * 100} %`);
    }
    stage.conclude(evidence, stand.violations);
  },
};
