import type { Runtime, Timer } from '../base/runtime.js';
import { raceSignal } from '../base/wait.js';

/** The wall clock may jump: it is looked at so often at least. */
const checkMs = 10_000;

/** Rings at the earliest of the times it was told, by the wall clock; and every ten seconds, to see whether that has jumped. */
export class Alarm {
  readonly #runtime: Runtime;
  readonly #signal: AbortSignal;
  #at = Infinity;
  #timer: Timer | undefined;
  #ring: () => void = () => {};
  #failure: { readonly error: Error } | undefined;

  /** @param signal ends every wait */
  constructor(runtime: Runtime, signal: AbortSignal) {
    this.#runtime = runtime;
    this.#signal = signal;
  }

  /** It is that time, or later. */
  get isOver(): boolean {
    return this.#runtime.wallNow() >= this.#at;
  }

  /** Forgets what it was told. @param at wall clock, milliseconds since 1970 */
  reset(at: number): void {
    this.#at = at;
  }

  noLaterThan(at: number): void {
    if (at >= this.#at) return;
    this.#at = at;
    this.#set();
  }

  /** Rings at once and for good: `wait` rejects with this. */
  fail(error: Error): void {
    this.#failure = { error };
    this.#ring();
  }

  async wait(): Promise<void> {
    if (!this.#failure) {
      const rings = new Promise<void>((resolve) => (this.#ring = resolve));
      this.#set();
      await raceSignal(rings, this.#signal);
    }
    if (this.#failure) throw this.#failure.error;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #set(): void {
    this.#timer?.cancel();
    const delayMs = Math.min(checkMs, Math.max(0, this.#at - this.#runtime.wallNow()));
    this.#timer = this.#runtime.setTimer(delayMs, () => this.#ring(), { background: true });
  }
}
