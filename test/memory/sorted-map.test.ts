import { expect, it } from 'vitest';
import { SortedMap } from '../../src/memory/sorted-map.js';
import { Random } from './random.js';

it('behaves like a Map that is sorted at every walk', () => {
  const random = new Random(1);
  const map = new SortedMap<number>();
  const model = new Map<string, number>();
  const sorted = (): [string, number][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));
  for (let i = 1; i <= 20_000; i++) {
    const key = String(random.below(3_000));
    if (random.chance(i < 10_000 ? 0.3 : 0.6)) {
      map.delete(key);
      model.delete(key);
    } else {
      map.set(key, i);
      model.set(key, i);
    }
    expect(map.get(key)).toBe(model.get(key));
    if (i % 500 !== 0) continue;
    const [first, end] = [
      String(random.below(3_000)),
      random.chance(0.2) ? undefined : String(random.below(3_000)),
    ];
    const expected = sorted().filter(([other]) => other >= first && (end === undefined || other < end));
    expect([...map.walk(first, end)]).toEqual(expected.map(([, value]) => value));
  }
  for (const [key] of sorted()) map.delete(key);
  expect([...map.walk('', undefined)]).toEqual([]);
});
