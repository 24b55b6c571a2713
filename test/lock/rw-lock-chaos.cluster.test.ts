import { afterAll, beforeAll, expect, it } from 'vitest';

import { ChaosRun } from '../rig/chaos-run.js';
import { figure } from '../rig/figure.js';
import { type Form, livesBelow, peak, type Span } from '../rig/history.js';
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
    const names = ['busy', 'quiet 1', 'quiet 2', 'quiet 3'];
    await using crowd = await run.torment({ kind: 'rwLock', names });
    const changes = ['upgraded', 'not alone', 'downgraded'].map(
      (event) => [event, crowd.count(event)] as const,
    );
    figure('changes of mode', changes.map(([event, times]) => `${event} ${times}`).join(', '));
    for (const [, times] of changes) expect(times).toBeGreaterThan(0);

    const spans: Span[] = [];
    for (const name of names) {
      const prefix = `${run.namespace}/rw/${encodeURIComponent(name)}/`;
      const lives = await livesBelow(run.observer, prefix);
      const [grants, acked] = (['granted', 'acked'] as const).map((event) =>
        crowd.marks(event).filter(({ key }) => key.startsWith(prefix)),
      );

      expect(strangers(lives, [...grants!, ...acked!])).toEqual([]);
      expect(grants!.filter((grant) => modeOf(formOf(lives, grant)!) !== grant.facts['mode'])).toEqual([]);
      const here = spansOf(lives, grants!, measure);
      expect(peak(here)).toBeLessThanOrEqual(full);
      expect(outOfTurn(lives, grants!, measure)).toEqual([]);
      spans.push(...here);
    }
    // There were writers, and readers that shared: the peaks say something.
    expect(spans.some(({ weight }) => weight === full)).toBe(true);
    expect(peak(spans.filter(({ weight }) => weight === 1))).toBeGreaterThan(names.length);
    expect(await run.leftovers()).toEqual([]);
  },
);
