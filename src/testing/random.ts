/**
 * Chance that a seed repeats: sfc32 ("small fast counter", Chris Doty-Humphrey, PractRand), seeded through splitmix32.
 *
 * Not for secrets.
 */
export class Random {
  readonly #seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any whole number; its low 32 bits count */
  constructor(seed: number) {
    this.#seed = seed | 0;
    const next = splitmix32(this.#seed);
    this.#a = next();
    this.#b = next();
    this.#c = next();
    for (let i = 0; i < 12; i++) this.uint32(); // as its author does: the state is mixed before first use
  }

  /** A generator of its own for `index`: what one of them draws does not shift what another does. */
  split(index: number): Random {
    return new Random(Math.imul(this.#seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35));
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }
}

/** Sebastiano Vigna's splitmix, 32 bits wide: turns seeds that are near each other into states that are not. */
function splitmix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}
