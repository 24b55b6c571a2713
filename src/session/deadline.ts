import type { Runtime } from '../base/runtime.js';
import type { Renewal } from '../store/keep-alive.js';

/**
 * Until when a lease can be trusted, judged by this process alone.
 *
 * The server counts the TTL from a moment after the renewal was SENT, so `sent + TTL` is never later than its own end of
 * the lease; the margin covers clocks that run at different rates and the time a caller needs to stop.
 */
export class Deadline {
  readonly #runtime: Runtime;
  #latest: Renewal;

  constructor(runtime: Runtime, granted: Renewal) {
    this.#runtime = runtime;
    this.#latest = granted;
  }

  get ttlMs(): number {
    return this.#latest.ttlSeconds * 1_000;
  }

  /** When the renewal that counts, at first the grant, was sent. */
  get sentAt(): number {
    return this.#latest.sentAt;
  }

  get marginMs(): number {
    return Math.max(this.ttlMs / 5, 500);
  }

  /** By the monotonic clock. */
  get at(): number {
    return this.sentAt + this.ttlMs - this.marginMs;
  }

  renewed(renewal: Renewal): void {
    if (renewal.sentAt >= this.#latest.sentAt) this.#latest = renewal;
  }

  isPast(): boolean {
    return this.#runtime.now() >= this.at;
  }

  /**
   * True if the wall clock has run ahead of the monotonic one since the last counted renewal was sent: the machine may
   * have been suspended (the monotonic clock of Linux stands still then) while the store's clock went on. What goes
   * unnoticed may not use up the margin, which is there for slow clocks and slow callers: half of it at the most.
   */
  isSuspect(): boolean {
    const { sentAt, sentAtWall } = this.#latest;
    return this.#runtime.wallNow() - sentAtWall - (this.#runtime.now() - sentAt) > this.marginMs / 2;
  }
}
