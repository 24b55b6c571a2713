import type { Engine } from '../memory/engine.js';
import type { VirtualClock } from './virtual-clock.js';

/** Which revision the store had when: what a member that lags behind still takes for the present. */
export class Past {
  readonly #clock: VirtualClock;
  readonly #engine: Engine;
  readonly #moments: { readonly at: number; readonly revision: bigint }[] = [];

  constructor(engine: Engine, clock: VirtualClock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** To be called whenever something has been executed. */
  note(): void {
    const { revision } = this.#engine.execute('status', {}).header;
    if (this.#moments.at(-1)?.revision === revision) return;
    this.#moments.push({ at: this.#clock.now(), revision });
  }

  /** The revision of `ms` ago, as far as it was noted. */
  revision(ms: number): bigint {
    const then = this.#clock.now() - ms;
    return this.#moments.findLast(({ at }) => at <= then)?.revision ?? 1n;
  }
}
