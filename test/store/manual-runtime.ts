import type { Runtime, Timer } from '../../src/base/runtime.js';

interface Alarm {
  readonly at: number;
  readonly ring: () => void;
}

/** Runs everything that waits for nothing but a turn of this process. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A Runtime whose clocks move, and whose chance falls, only as a test says. */
export class ManualRuntime implements Runtime {
  /** What `random` returns: 0 for no pause at all, close to 1 for the longest. */
  chance = 0;
  /** How far the wall clock is ahead of the other. */
  wallOffsetMs = 1_000_000;
  #now = 0;
  #nextId = 1_000n;
  readonly #alarms = new Set<Alarm>();

  get pendingTimers(): number {
    return this.#alarms.size;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now + this.wallOffsetMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (!(delayMs >= 0)) throw new Error(`a timer of ${delayMs} ms`);
    const alarm = { at: this.#now + delayMs, ring: callback };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  random(): number {
    return this.chance;
  }

  id(): bigint {
    return this.#nextId++;
  }

  probe(): void {}

  /** Moves the clock; each timer rings at its time, and what follows from it happens before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settled();
    for (let alarm = this.#nextUntil(end); alarm !== undefined; alarm = this.#nextUntil(end)) {
      this.#now = Math.max(this.#now, alarm.at);
      this.#alarms.delete(alarm);
      alarm.ring();
      await settled();
    }
    this.#now = end;
  }

  /** The clock goes on while this process stands still: whatever falls due rings late, at the next `advance`. */
  standStill(ms: number): void {
    this.#now += ms;
  }

  #nextUntil(end: number): Alarm | undefined {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) if (alarm.at <= end && (!next || alarm.at < next.at)) next = alarm;
    return next;
  }
}
