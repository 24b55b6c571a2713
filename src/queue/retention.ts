import type { Connection } from '../session/connection.js';
import type { QueueLayout } from './layout.js';
import { type EndRecord, type KnownJob, type Move, toEnd, toResult } from './moves.js';

/** Leases for what is kept for a while: one for all that ends within a tenth of that time, for a lease is not cheap. */
export class Retention {
  readonly keepMs: number;
  readonly #connection: Connection;
  #lease: Promise<bigint> | undefined;
  #grantedAt = -Infinity;
  /** By the wall clock: while a machine sleeps, the other one may stand still. */
  #grantedAtWall = -Infinity;

  /** @param keepMs 0: nothing is kept */
  constructor(connection: Connection, keepMs: number) {
    this.#connection = connection;
    this.keepMs = keepMs;
  }

  /** Nothing remains of the job but how it ended, for a while; not even that if nothing is kept. */
  async moveToEnd(layout: QueueLayout, job: KnownJob, end: EndRecord): Promise<Move> {
    return this.keepMs === 0 ? toEnd(layout, job) : toResult(layout, job, end, await this.lease());
  }

  /** A lease that ends after `keepMs`, or at most a tenth later. */
  lease(): Promise<bigint> {
    const { runtime, store } = this.#connection;
    const now = runtime.now();
    const wallNow = runtime.wallNow();
    const ageMs = Math.max(now - this.#grantedAt, Math.abs(wallNow - this.#grantedAtWall));
    if (this.#lease && ageMs < this.keepMs / 10) return this.#lease;
    const ttlSeconds = Math.ceil((this.keepMs * 1.1) / 1_000);
    const lease = store.lease.grant({ ttlSeconds }).then(({ id }) => id);
    lease.catch(() => this.forget(lease)); // the next one asks again
    this.#grantedAt = now;
    this.#grantedAtWall = wallNow;
    this.#lease = lease;
    return lease;
  }

  /** It was not granted, or is gone. */
  forget(lease: Promise<bigint> | undefined = this.#lease): void {
    if (this.#lease === lease) this.#lease = undefined;
  }
}
