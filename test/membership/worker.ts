import type { Conclave, Hold, Shards } from '../../src/index.js';
import type { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';

export type WorkerOptions = { readonly shards?: number } & Parameters<Shards['run']>[1];

/** One that takes part, and what it has been given. */
export class Worker {
  readonly client: Conclave;
  readonly shards: Shards;
  readonly held: Map<number, Hold> = new Map<number, Hold>();
  readonly told: unknown[] = [];
  readonly ended: Promise<unknown>;
  /** Whether the work ends when it is told to. */
  obeys: boolean = true;
  readonly #stop = new AbortController();
  readonly #letGo = new Map<number, () => void>();

  constructor(client: Conclave, options: WorkerOptions = {}) {
    const { shards = 8, ...others } = options;
    this.client = client;
    this.shards = client.group('g').shards(shards);
    this.ended = outcome(this.shards.run(this.#work, { signal: this.#stop.signal, ...others }));
  }

  static async start(world: World, options?: WorkerOptions): Promise<Worker> {
    return new Worker(await world.client(), options);
  }

  get owned(): number[] {
    return [...this.held.keys()].sort((a, b) => a - b);
  }

  stop(): Promise<unknown> {
    this.#stop.abort('enough');
    return this.ended;
  }

  letGo(): void {
    this.obeys = true;
    for (const end of this.#letGo.values()) end();
  }

  readonly #work = async (shard: number, hold: Hold): Promise<void> => {
    if (this.held.has(shard)) throw new Error(`shard ${shard} runs twice`);
    this.held.set(shard, hold);
    await new Promise<void>((resolve) => {
      this.#letGo.set(shard, resolve);
      hold.signal.addEventListener('abort', () => {
        this.told.push(hold.signal.reason);
        if (this.obeys) resolve();
      });
    });
    this.held.delete(shard);
    this.#letGo.delete(shard);
  };
}
