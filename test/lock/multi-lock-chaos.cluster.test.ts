import { afterAll, beforeAll, expect, it } from 'vitest';

import type { Mark } from '../rig/crowd.js';
import { type Life, livesBelow, peak } from '../rig/history.js';
import { ChaosRun } from '../rig/chaos-run.js';
import { outOfTurn, spansOf, strangers } from '../rig/turns.js';

const names = ['a', 'b', 'c', 'd', 'e', 'f'];
const measure = { limit: 1, weigh: (): number => 1 };
let run: ChaosRun;

beforeAll(async () => {
  run = await ChaosRun.start('multi-chaos');
});

afterAll(() => run[Symbol.asyncDispose]());

it(
  'multi-locks and mutexes of the same names exclude each other, and nobody waits for ever, while members and clients are killed and stopped',
  { timeout: ChaosRun.timeoutMs },
  async () => {
    await using crowd = await run.torment({ kind: 'multiLock', names });
    const lives = await livesBelow(run.observer, `${run.namespace}/lock/`);
    const grants = crowd.marks('granted').flatMap((mark) => inEachLine(mark));

    expect(crowd.setbacks()).not.toHaveProperty('WAIT_TIMEOUT');
    expect(strangers(lives, grants)).toEqual([]);
    expect(strangers(lives, crowd.marks('acked'))).toEqual([]);
    for (const name of names) {
      const prefix = prefixOf(name);
      const line = lives.filter(({ key }) => key.startsWith(prefix));
      const granted = grants.filter(({ key }) => key.startsWith(prefix));
      expect(peak(spansOf(line, granted, measure))).toBe(1);
      expect(outOfTurn(line, granted, measure)).toEqual([]);
    }
    // Different names were held at a time.
    expect(peak(spansOf(lives, crowd.marks('granted'), measure))).toBeGreaterThan(1);
    expect(halves(lives)).toEqual([]);
    expect(await run.leftovers()).toEqual([]);
  },
);

function prefixOf(name: string): string {
  return `${run.namespace}/lock/${name}/`;
}

/** What was said of one of its tickets goes for all of them: they have one name, and one create revision. */
function inEachLine(mark: Mark): Mark[] {
  const ticket = mark.key.slice(mark.key.lastIndexOf('/') + 1);
  return (mark.facts['names'] as string[]).map((name) => ({ ...mark, key: prefixOf(name) + ticket }));
}

/** Tickets that came together and did not go together: at some revision somebody had a part of what it wanted. */
function halves(lives: readonly Life[]): Life[][] {
  const together = new Map<bigint, Life[]>();
  for (const life of lives)
    together.set(life.createRevision, [...(together.get(life.createRevision) ?? []), life]);
  const all = [...together.values()];
  expect(all.some((tickets) => tickets.length > 1)).toBe(true);
  return all.filter((tickets) => tickets.some(({ to }) => to !== tickets[0]!.to));
}
