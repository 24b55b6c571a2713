import type { VirtualClock } from './virtual-clock.js';

interface Moment {
  readonly at: number;
  readonly revision: bigint;
}

/** Which revision the store had when: what a member that lags behind still takes for the present. */
export class Past {
  readonly #clock: VirtualClock;
  readonly #moments: Moment[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** To be called with each new revision. */
  note(revision: bigint): void {
    const at = this.#clock.now();
    if (this.#moments.at(-1)?.at === at) this.#moments.pop();
    this.#moments.push({ at, revision });
  }

  /** The revision of `ms` ago. */
  revision(ms: number): bigint {
    const then = this.#clock.now() - ms;
    return this.#moments.findLast(({ at }) => at <= then)?.revision ?? 1n;
  }
}
