import { expect, it } from 'vitest';
import { percentile, Stand } from './scenario.js';

it('a percentile is the smallest that such a share does not exceed', () => {
  const times = Array.from({ length: 200 }, (_, i) => 200 - i);
  expect([0.5, 0.99, 1].map((share) => percentile(times, share))).toEqual([100, 198, 200]);
  expect(percentile([3, 1, 2], 0.5)).toBe(2);
  expect(percentile([1, 9], 0.99)).toBe(9);
  expect(percentile([], 0.5)).toBeNaN();
});

it('of fewer than a hundred times no p99 is told', () => {
  const stand = new Stand('scenario', 1);
  stand.spread('few', [1, 2, 9]);
  stand.spread('none', []);
  stand.spread(
    'many',
    Array.from({ length: 100 }, (_, i) => i + 1),
  );
  expect(stand.figures).toEqual({
    few: 'p50 2 ms, max 9 ms (3)',
    none: 'none',
    many: 'p50 50 ms, p99 99 ms, max 100 ms (100)',
  });
});
