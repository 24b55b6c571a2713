import { afterAll, beforeAll, expect, it } from 'vitest';

import { type Form, livesBelow, peak } from '../rig/history.js';
import { ChaosRun } from '../rig/chaos-run.js';
import { formOf, outOfTurn, spansOf, strangers } from '../rig/turns.js';

const modeOf = ({ value }: Form): string => (JSON.parse(value) as { mode: string }).mode;
/** A writer leaves no room for anybody; readers take as good as none. */
const full = 1_000;
const measure = { limit: full, weigh: (form: Form): number => (modeOf(form) === 'write' ? full : 1) };
let run: ChaosRun;

beforeAll(async () => {
  run = await ChaosRun.start('rw-chaos');
});

afterAll(() => run[Symbol.asyncDispose]());

it(
  'a writer is alone while members and clients are killed and stopped, also one that was a reader or becomes one',
  { timeout: ChaosRun.timeoutMs },
  async () => {
    const names = ['busy', 'quiet'];
    await using crowd = await run.torment({ kind: 'rwLock', names });
    for (const event of ['upgraded', 'not alone', 'downgraded'])
      expect([event, crowd.count(event)]).not.toEqual([event, 0]);

    for (const name of names) {
      const prefix = `${run.namespace}/rw/${name}/`;
      const lives = await livesBelow(run.observer, prefix);
      const [grants, acked] = (['granted', 'acked'] as const).map((event) =>
        crowd.marks(event).filter(({ key }) => key.startsWith(prefix)),
      );

      expect(strangers(lives, [...grants!, ...acked!])).toEqual([]);
      expect(grants!.filter((grant) => modeOf(formOf(lives, grant)!) !== grant.facts['mode'])).toEqual([]);
      const spans = spansOf(lives, grants!, measure);
      expect(peak(spans)).toBe(full);
      expect(peak(spans.filter(({ weight }) => weight === 1))).toBeGreaterThan(1);
      expect(outOfTurn(lives, grants!, measure)).toEqual([]);
      expect(outOfTurn(lives, grants!, { ...measure, limit: 1 })).not.toEqual([]);
    }
    expect(await run.leftovers()).toEqual([]);
  },
);
