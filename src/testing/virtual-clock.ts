import type { Timer } from '../base/runtime.js';
import { TimerQueue } from './timer-queue.js';

/** Lets everything run that can run without time passing. */
export type Drain = () => Promise<void>;

/** Taken when this file is loaded: a test may replace the global with a fake later. */
const realSetImmediate = setImmediate;

/** A turn of the real event loop begins only when no microtask is left. */
const drainMicrotasks: Drain = () => new Promise((resolve) => realSetImmediate(resolve));

/**
 * Delays are rounded up to this. A rest too small to move the clock (some 1e-13 ms, from rounding) would have whoever
 * waits for a point in time set its timer again and again without getting there. A power of two keeps sums exact.
 */
const ticksPerMs = 1_024;

/** So many timers in a row without any time passing are an endless loop. */
const maxStepsAtOneTime = 100_000;

/**
 * Time that passes only when told to.
 *
 * Guarantees: timers fire in the order of their due times, those of one time in the order they were set; all promises
 * are settled between two of them. The same calls give the same order.
 */
export class VirtualClock {
  readonly #queue = new TimerQueue();
  readonly #drain: Drain;
  #now = 0;
  /** Ends with the latest call that moves time: they run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #isSettlingSoon = false;

  /** @param drain how to wait until nothing runs any more; @default one turn of the real event loop */
  constructor(drain: Drain = drainMicrotasks) {
    this.#drain = drain;
  }

  /** Milliseconds since the clock was made. */
  now(): number {
    return this.#now;
  }

  /** When the next timer is due; undefined if none is set. */
  get nextAt(): number | undefined {
    return this.#queue.first?.at;
  }

  /** @param delayMs 0 or less means at the present time, but never inside this call */
  setTimer(delayMs: number, callback: () => void): Timer {
    const ticks = Math.ceil(Math.max(0, delayMs) * ticksPerMs);
    const entry = this.#queue.add(this.#now + ticks / ticksPerMs, callback);
    return { cancel: () => this.#queue.remove(entry) };
  }

  /** Runs `callback` at the present time, after what is due before it, without anybody moving the clock. */
  soon(callback: () => void): void {
    this.setTimer(0, callback);
    if (this.#isSettlingSoon) return;
    this.#isSettlingSoon = true;
    void this.#inTurn(async () => {
      this.#isSettlingSoon = false;
      await this.#advanceTo(this.#now);
    });
  }

  /**
   * Lets `ms` pass: runs everything that falls due, each at its own time, and settles.
   *
   * @throws RangeError unless `ms` is finite and 0 or more; what a timer's callback throws
   */
  advance(ms: number): Promise<void> {
    if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`time cannot advance by ${ms} ms`);
    return this.#inTurn(() => this.#advanceTo(this.#now + ms));
  }

  /** Runs everything that is due now. */
  settle(): Promise<void> {
    return this.advance(0);
  }

  /** Lets time pass up to the next timer, if it is due by `limit`. Resolves with whether it was. */
  step(limit: number): Promise<boolean> {
    return this.#inTurn(async () => {
      await this.#drain();
      const { nextAt } = this;
      if (nextAt === undefined || nextAt > limit) return false;
      await this.#advanceTo(nextAt);
      return true;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {}); // whoever asked for the turn gets the error
    return done;
  }

  async #advanceTo(end: number): Promise<void> {
    await this.#drain();
    for (let steps = 0, timer = this.#queue.takeDue(end); timer; timer = this.#queue.takeDue(end)) {
      steps = timer.at > this.#now ? 0 : steps + 1;
      if (steps > maxStepsAtOneTime) throw new Error(`timers set each other for ever at ${this.#now} ms`);
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
      await this.#drain();
    }
    this.#now = Math.max(this.#now, end);
  }
}
