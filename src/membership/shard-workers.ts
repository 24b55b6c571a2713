import { Semaphore } from 'async-mutex';
import { settledWithin } from '../base/wait.js';
import { Admission } from '../session/admission.js';
import type { Connection } from '../session/connection.js';
import { demand } from '../session/demand.js';
import { Hold } from '../session/hold.js';
import { noOlderTicket } from '../session/rules.js';
import { wheneverHeld, type WheneverHeldOptions } from '../session/whenever-held.js';
import type { ShardsLayout } from './shards-layout.js';

/** Told of a shard, and the hold on it. */
export type ShardWork = (shard: number, hold: Hold) => unknown;

export interface ShardWorkersOptions extends Pick<WheneverHeldOptions, 'pauseMs' | 'onError'> {
  readonly work: ShardWork;
  /** The work on a shard has failed for good. */
  readonly onFailed: (error: unknown) => void;
}

/** How many shards are asked for at a time, each until it is had, or for as long as one turn lasts. */
const atATime = 64;
const turnMs = 100;

const exclusive = demand(noOlderTicket);

/** What runs for the shards of one member: each as long as it is wanted and its mutex is held. */
export class ShardWorkers {
  readonly #connection: Connection;
  readonly #layout: ShardsLayout;
  readonly #options: ShardWorkersOptions;
  readonly #turns = new Semaphore(atATime);
  readonly #running = new Map<number, { readonly stop: AbortController; readonly ended: Promise<void> }>();
  #wanted: ReadonlySet<number> = new Set();

  constructor(connection: Connection, layout: ShardsLayout, options: ShardWorkersOptions) {
    this.#connection = connection;
    this.#layout = layout;
    this.#options = options;
  }

  /**
   * Goes for these shards, and gives up the others: the work on them is told to stop, and waited for; only then the shard is
   * given back.
   *
   * @param why the reason that the work is told
   */
  want(shards: ReadonlySet<number>, why: unknown): void {
    this.#wanted = shards;
    for (const [shard, { stop }] of this.#running) if (!shards.has(shard)) stop.abort(why);
    for (const shard of shards) if (!this.#running.has(shard)) this.#start(shard);
  }

  /** Resolves when nothing runs any more. Never rejects. */
  async ended(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  #start(shard: number): void {
    const stop = new AbortController();
    const ended = this.#run(shard, stop.signal)
      .catch((error: unknown) => this.#options.onFailed(error))
      .then(() => {
        this.#running.delete(shard);
        // Wanted again while the work was still ending.
        if (stop.signal.aborted && this.#wanted.has(shard)) this.#start(shard);
      });
    this.#running.set(shard, { stop, ended });
  }

  async #run(shard: number, signal: AbortSignal): Promise<void> {
    const { work, pauseMs, onError } = this.#options;
    const line = this.#layout.lineOf(shard);
    const title = `shard ${shard}: ${line.title}`;
    const admission = new Admission(this.#connection, { lines: [line], title, queuesLocally: true });
    const acquire = async (until: AbortSignal): Promise<Hold> => {
      const release = await this.#turn();
      const acquiring = admission.acquire(exclusive, { signal: until }, (admitted) => new Hold(admitted));
      // A turn, not all its waiting: the shards that others are slow to give up would keep out the free ones.
      void settledWithin(this.#connection.runtime, acquiring, turnMs).then(release);
      return acquiring;
    };
    await wheneverHeld(
      this.#connection,
      { title, acquire, work: (hold) => work(shard, hold) },
      {
        signal,
        // The shard is not given away while its work runs.
        drainTimeoutMs: Infinity,
        ...(pauseMs !== undefined && { pauseMs }),
        ...(onError && { onError }),
      },
    );
  }

  async #turn(): Promise<() => void> {
    const [, release] = await this.#turns.acquire();
    return release;
  }
}
