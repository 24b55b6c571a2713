import { expect, it } from 'vitest';
import { Random } from '../../src/testing/index.js';

const draw = (random: Random): number[] => Array.from({ length: 1_000 }, () => random.next());

it('repeats for the same seed, and differs for another', () => {
  expect(draw(new Random(7))).toEqual(draw(new Random(7)));
  expect(draw(new Random(7))).not.toEqual(draw(new Random(8)));
});

it('is spread evenly over [0, 1)', () => {
  const numbers = draw(new Random(1));
  const mean = numbers.reduce((sum, each) => sum + each) / numbers.length;
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(mean).toBeGreaterThan(0.47);
  expect(mean).toBeLessThan(0.53);
});

it('splits into streams that do not shift each other', () => {
  const one = new Random(5);
  const other = new Random(5);
  draw(other.split(1));
  expect(draw(one.split(2))).toEqual(draw(other.split(2)));
  expect(draw(one.split(1))).not.toEqual(draw(one.split(2)));
});
