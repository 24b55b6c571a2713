import type { VirtualClock } from './virtual-clock.js';

/** Why nothing gets through at the moment. */
export type Obstacle = 'partition' | 'paused' | 'silent';

interface Parcel {
  hasTravelled: boolean;
  readonly deliver: () => void;
}

/**
 * One direction of a connection. Like TCP it keeps the order and loses nothing by itself: what is sent while an obstacle
 * stands waits, and arrives, late, when the last one is gone.
 *
 * Without delay and obstacle a parcel is delivered inside `send`.
 */
export class Path {
  readonly #clock: VirtualClock;
  readonly #obstacles = new Set<Obstacle>();
  #delayMs: () => number = () => 0;
  #waiting: Parcel[] = [];
  #isClosed = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get isBlocked(): boolean {
    return this.#obstacles.size > 0;
  }

  /** How many parcels have not arrived. */
  get inFlight(): number {
    return this.#waiting.length;
  }

  /** How long each parcel sent from now on travels. */
  setDelay(delayMs: () => number): void {
    this.#delayMs = delayMs;
  }

  /** @param extraMs travels so much longer, as does what is sent after it */
  send(deliver: () => void, extraMs = 0): void {
    if (this.#isClosed) return;
    const travelMs = this.#delayMs() + extraMs;
    if (travelMs === 0 && this.#waiting.length === 0 && !this.isBlocked) return deliver();
    const parcel: Parcel = { hasTravelled: travelMs === 0, deliver };
    this.#waiting.push(parcel);
    if (parcel.hasTravelled) return;
    this.#clock.setTimer(travelMs, () => {
      parcel.hasTravelled = true;
      this.#flush();
    });
  }

  block(obstacle: Obstacle): void {
    this.#obstacles.add(obstacle);
  }

  /** What has been waiting arrives in a later step of the clock, at the present time. */
  unblock(obstacle: Obstacle): void {
    if (!this.#obstacles.delete(obstacle) || this.isBlocked) return;
    this.#clock.soon(() => this.#flush());
  }

  /** Whatever has not arrived never will, nor what is sent from now on. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.isBlocked || !next.hasTravelled) return; // a delivery may block the path
      this.#waiting.shift();
      next.deliver();
    }
  }
}
