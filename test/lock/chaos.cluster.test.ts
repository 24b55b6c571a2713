import { afterAll, beforeAll, expect, it } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import type { Crowd, Mark } from '../rig/crowd.js';
import { livesBelow } from '../rig/history.js';
import { ChaosRun } from '../rig/chaos-run.js';
import { figure, guardMs } from './fixture.js';
import { outOfTurn, strangers } from '../rig/turns.js';

const counter = 'counter'; // outside of the namespace, which must be empty in the end
const job = { kind: 'counter', name: 'line', counter };
let run: ChaosRun;

beforeAll(async () => {
  run = await ChaosRun.start('chaos');
});

afterAll(() => run[Symbol.asyncDispose]());

it(
  'nobody overlaps and no increment is lost while members and clients are killed and stopped',
  { timeout: ChaosRun.timeoutMs },
  async () => {
    await using crowd = await run.torment({ ...job, isFenced: true });
    const acked = crowd.count('acked');
    const unknown = crowd.count('trying') - acked - crowd.count('refused') - crowd.count('unsent');
    const value = await counted();
    figure('increments', `${acked} acknowledged, ${unknown} unknown, counter ${value}`);

    expect(value).toBeGreaterThanOrEqual(acked);
    expect(value).toBeLessThanOrEqual(acked + unknown);
    expect(await overlaps(crowd)).toEqual([]);
    const grants = crowd.marks('granted');
    expect(new Set(grants.map(({ token }) => token)).size).toBe(grants.length);
    expect(await run.leftovers()).toEqual([]);
  },
);

it('the same checks find what happens without the fence', { timeout: 2 * guardMs }, async () => {
  await using crowd = run.crowd({ ...job, isFenced: false });
  await run.observer.store.remove(counter);
  await crowd.fill();
  await crowd.stopAtWrite(crowd.working[0]!);
  expect(crowd.lateWrites).toEqual(['acked']);
  await crowd.finish();
  expect(await overlaps(crowd)).not.toEqual([]);
  expect(await counted()).toBeLessThan(crowd.count('acked'));
});

async function counted(): Promise<number> {
  const { kvs } = await run.observer.store.get(counter);
  return Number(toText(kvs[0]!.value));
}

/** What was done at a revision at which its author was not the oldest in line. */
async function overlaps(crowd: Crowd): Promise<Mark[]> {
  const lives = await livesBelow(run.observer, `${run.namespace}/lock/line/`);
  const marks = [...crowd.marks('granted'), ...crowd.marks('acked')];
  const early = outOfTurn(lives, marks, { limit: 1, weigh: () => 1 });
  return [...strangers(lives, marks), ...early.map(({ mark }) => mark)];
}
