import type { Random } from '../../src/testing/random.js';

/** How long to wait for others: now and then too short a time, else long enough once nothing is wrong, and not for ever. */
export function patience(random: Random): number {
  return random.next() < 0.2 ? Math.ceil(random.between(0, 400)) : Math.ceil(random.between(1_000, 8_000));
}
