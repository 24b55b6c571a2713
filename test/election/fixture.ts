import { type Conclave, type Election, type KeyValue, type Observation, prefix } from '../../src/index.js';
import type { RequestTo, World } from '../../src/testing/index.js';

/** What became of a promise: its value, or what it was rejected with. Taken at once, so that nothing is unhandled. */
export function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

/** The candidates' tickets as stored, oldest first. */
export async function ticketsOf(world: World, name: string): Promise<readonly KeyValue[]> {
  const { kvs } = await world.store.get(prefix(`conclave/election/${name}/`), { sort: ['create', 'ascend'] });
  return kvs;
}

/** What the leader has written on its ticket. */
export async function noteOf(world: World, name: string): Promise<{ value?: string; transferTo?: string }> {
  const [leader] = await ticketsOf(world, name);
  return JSON.parse(Buffer.from(leader?.value ?? []).toString() || '{}') as object;
}

/** What the candidates stand for, the leader first. */
export async function lineUp(election: Election): Promise<readonly string[]> {
  return (await election.candidates()).map(({ value }) => value);
}

/** A Conclave whose session is open, so that its next request is the one the test is about. */
export async function warm(world: World, options: Parameters<World['client']>[0] = {}): Promise<Conclave> {
  const client = await world.client(options);
  await (await client.mutex('warm-up').acquire()).release();
  return client;
}

/** A take, of a mutex or of a candidate: it puts a new key. */
export function isTake({ then }: RequestTo<'txn'>): boolean {
  return then.some((op) => op.kind === 'put' && op.lease !== 0n && !op.ignoreValue) && then.length > 1;
}

/** A write on a ticket that stands. */
export function isRewrite({ then, else: otherwise }: RequestTo<'txn'>): boolean {
  return then.length === 1 && then[0]?.kind === 'put' && otherwise.length === 1;
}

/** Reads all that an election's observers are told. */
export class Observer {
  readonly seen: Observation[] = [];
  readonly #stop = new AbortController();
  /** What it ended with. */
  readonly ended: Promise<unknown>;

  constructor(election: Election) {
    this.ended = outcome(this.#read(election));
  }

  /** The leaders' values, as told. */
  get values(): readonly (string | undefined)[] {
    return this.seen.map(({ leader }) => leader?.value);
  }

  async stop(): Promise<unknown> {
    this.#stop.abort('enough');
    return this.ended;
  }

  async #read(election: Election): Promise<void> {
    for await (const observation of election.observe({ signal: this.#stop.signal }))
      this.seen.push(observation);
  }
}
