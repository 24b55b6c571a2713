import { afterAll, beforeAll, expect, it } from 'vitest';

import { type Form, livesBelow, peak } from '../rig/history.js';
import { ChaosRun } from '../rig/chaos-run.js';
import { formOf, outOfTurn, spansOf, strangers } from '../rig/turns.js';

const limit = 5;
const weigh = ({ value }: Form): number => (JSON.parse(value) as { weight: number }).weight;
const measure = { limit, weigh };
let run: ChaosRun;

beforeAll(async () => {
  run = await ChaosRun.start('semaphore-chaos');
});

afterAll(() => run[Symbol.asyncDispose]());

it(
  'no more permits than the limit are taken while members and clients are killed and stopped',
  { timeout: ChaosRun.timeoutMs },
  async () => {
    const prefix = `${run.namespace}/semaphore/line/`;
    await using crowd = await run.torment({ kind: 'semaphore', name: 'line', limit });
    const lives = await livesBelow(run.observer, `${prefix}t/`);
    const grants = crowd.marks('granted');

    expect(strangers(lives, [...grants, ...crowd.marks('acked')])).toEqual([]);
    expect(grants.filter((grant) => weigh(formOf(lives, grant)!) !== grant.facts['permits'])).toEqual([]);
    // Reached, and never passed: a limit of one less would be found out.
    expect(peak(spansOf(lives, grants, measure))).toBe(limit);
    expect(outOfTurn(lives, grants, measure)).toEqual([]);
    expect(outOfTurn(lives, grants, { ...measure, limit: limit - 1 })).not.toEqual([]);
    expect(await run.leftovers()).toEqual([`${prefix}limit`]);
  },
);
