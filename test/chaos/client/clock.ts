import { type Runtime, systemRuntime } from '../../../src/base/runtime.js';

/** The clocks of a client: they go at a rate of their own, the wall clock jumps, and it is known how many timers run. */
export class Clock {
  readonly #rate: number;
  readonly #startedAt = systemRuntime.now();
  readonly #startedAtWall = systemRuntime.wallNow();
  #aheadMs = 0;
  #timers = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** That have neither fired nor been cancelled. */
  get timers(): number {
    return this.#timers;
  }

  /** From now on the wall clock is so much ahead of what it would be; 0 undoes it. */
  jump(aheadMs: number): void {
    this.#aheadMs = aheadMs;
  }

  runtime(probe: Runtime['probe'] = () => {}): Runtime {
    const passed = (): number => (systemRuntime.now() - this.#startedAt) * this.#rate;
    return {
      ...systemRuntime,
      now: () => this.#startedAt + passed(),
      wallNow: () => Math.floor(this.#startedAtWall + passed() + this.#aheadMs),
      setTimer: (ms, callback, options) => {
        let isOver = false;
        const over = (): void => {
          if (!isOver) this.#timers--;
          isOver = true;
        };
        this.#timers++;
        const fire = (): void => {
          over();
          callback();
        };
        const timer = systemRuntime.setTimer(ms / this.#rate, fire, options);
        const cancel = (): void => {
          over();
          timer.cancel();
        };
        return { cancel };
      },
      probe,
    };
  }
}
