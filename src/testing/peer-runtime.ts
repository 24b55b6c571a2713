import type { Probe } from '../base/probes.js';
import type { Runtime, Timer } from '../base/runtime.js';
import type { Random } from './random.js';
import type { VirtualClock } from './virtual-clock.js';

export interface PeerRuntimeOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** Tells the peers of a world apart; from 0. */
  readonly index: number;
  /** Upper half of every id: tells worlds apart. 31 bits. */
  readonly idBase: number;
  /** How fast this peer's clocks go, compared with the store's. @default 1 */
  readonly clockRate?: number;
  readonly onProbe: (name: Probe) => void;
  /** Remembers of each timer who set it. @default false */
  readonly isTraced?: boolean;
}

/** A timer that is set. */
export interface PendingTimer {
  /** By the peer's own clock. */
  readonly dueAt: number;
  /** The stack tells who set it. */
  readonly origin: Error | undefined;
}

interface LiveTimer extends PendingTimer {
  readonly callback: () => void;
  armed: Timer | undefined;
}

/**
 * What a process is doing:
 * - `paused`: it stands still and time goes on, as after SIGSTOP, or in a blocked event loop or a long garbage collection.
 * - `suspended`: its whole machine sleeps. Its monotonic clock stands still too, as on Linux; the wall clock does not.
 * - `crashed`: it never runs again.
 */
export type Activity = 'running' | 'paused' | 'suspended' | 'crashed';

/** 14 November 2023: any fixed date will do. */
const wallStart = 1_700_000_000_000;

/** The Runtime of one simulated process, on the world's clock. */
export class PeerRuntime implements Runtime {
  readonly #options: PeerRuntimeOptions;
  readonly #timers = new Set<LiveTimer>();
  readonly #rate: number;
  #activity: Activity = 'running';
  /** The world's time that the monotonic clock has missed. */
  #sleptMs = 0;
  #suspendedAt = 0;
  #jumpedMs = 0;
  #lastId = 0;

  constructor(options: PeerRuntimeOptions) {
    const { clockRate = 1 } = options;
    if (!(clockRate > 0 && clockRate < Infinity))
      throw new RangeError(`clockRate must be above 0, got ${clockRate}`);
    this.#options = options;
    this.#rate = clockRate;
  }

  get activity(): Activity {
    return this.#activity;
  }

  /** In the order in which they are due. */
  get pendingTimers(): readonly PendingTimer[] {
    return [...this.#timers].sort((a, b) => a.dueAt - b.dueAt);
  }

  now(): number {
    const worldNow = this.#activity === 'suspended' ? this.#suspendedAt : this.#options.clock.now();
    return (worldNow - this.#sleptMs) * this.#rate;
  }

  wallNow(): number {
    return wallStart + this.#options.clock.now() * this.#rate + this.#jumpedMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const origin = this.#options.isTraced ? new Error('set here') : undefined;
    const timer: LiveTimer = {
      dueAt: this.now() + Math.max(0, delayMs),
      origin,
      callback,
      armed: undefined,
    };
    this.#timers.add(timer);
    if (this.#activity === 'running') this.#arm(timer);
    return {
      cancel: () => {
        this.#timers.delete(timer);
        timer.armed?.cancel();
      },
    };
  }

  random(): number {
    return this.#options.random.next();
  }

  id(): bigint {
    const { idBase, index } = this.#options;
    return (BigInt(idBase) << 32n) | (BigInt(index) << 20n) | BigInt(++this.#lastId);
  }

  probe(name: Probe): void {
    this.#options.onProbe(name);
  }

  /** Sets the wall clock forward, or back. */
  jumpWall(ms: number): void {
    this.#jumpedMs += ms;
  }

  /** No timer fires until `resume`; after a crash none ever does. */
  stop(activity: Exclude<Activity, 'running'>): void {
    this.#wake();
    for (const timer of this.#timers) timer.armed?.cancel();
    if (activity === 'crashed') this.#timers.clear();
    this.#suspendedAt = this.#options.clock.now();
    this.#activity = activity;
  }

  /** Timers whose time has passed fire at once, late, in the order in which they were due. */
  resume(): void {
    if (this.#activity === 'running' || this.#activity === 'crashed') return;
    this.#wake();
    this.#activity = 'running';
    for (const timer of [...this.#timers].sort((a, b) => a.dueAt - b.dueAt)) this.#arm(timer);
    this.#options.clock.soon(() => {}); // what is overdue does not wait for somebody to move the clock
  }

  /** The monotonic clock goes on from where it stood still. */
  #wake(): void {
    if (this.#activity === 'suspended') this.#sleptMs += this.#options.clock.now() - this.#suspendedAt;
  }

  #arm(timer: LiveTimer): void {
    const delayMs = (timer.dueAt - this.now()) / this.#rate;
    timer.armed = this.#options.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      timer.callback();
    });
  }
}
