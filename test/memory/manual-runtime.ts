import type { Runtime, Timer } from '../../src/base/runtime.js';

interface Alarm {
  readonly at: number;
  readonly ring: () => void;
}

/** A Runtime whose clock moves only when a test says so. */
export class ManualRuntime implements Runtime {
  #now = 0;
  #nextId = 1_000_000n;
  readonly #alarms = new Set<Alarm>();

  /** Timers that are set: for tests that look for leaks. */
  get pendingTimers(): number {
    return this.#alarms.size;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const alarm = { at: this.#now + delayMs, ring: callback };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  random(): number {
    return 0.5;
  }

  id(): bigint {
    return this.#nextId++;
  }

  probe(): void {}

  /** Moves the clock, ringing every timer that falls due at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let alarm = this.#nextUntil(end); alarm !== undefined; alarm = this.#nextUntil(end)) {
      this.#now = alarm.at;
      this.#alarms.delete(alarm);
      alarm.ring();
    }
    this.#now = end;
  }

  #nextUntil(end: number): Alarm | undefined {
    return [...this.#alarms].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }
}
