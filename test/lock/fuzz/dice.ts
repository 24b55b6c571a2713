import type { Random } from '../../../src/testing/index.js';

/** Chance in the words of a test. */
export class Dice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Dice of its own: what one throws does not change what another throws. */
  split(index: number): Dice {
    return new Dice(this.#random.split(index));
  }

  /** True once in `n` throws. */
  oneIn(n: number): boolean {
    return this.#random.next() * n < 1;
  }

  /** From 0 up to, but without, `high`. */
  below(high: number): number {
    return this.#random.next() * high;
  }

  pick<T>(from: readonly T[]): T {
    const chosen = from[Math.floor(this.below(from.length))];
    if (chosen === undefined) throw new RangeError('nothing to pick from');
    return chosen;
  }

  /** Each entry as often as its weight says. */
  pickWeighted<T extends { readonly weight: number }>(from: readonly T[]): T {
    let left = this.below(from.reduce((sum, { weight }) => sum + weight, 0));
    for (const entry of from) {
      left -= entry.weight;
      if (left < 0) return entry;
    }
    throw new RangeError('nothing to pick from');
  }
}
