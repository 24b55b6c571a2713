import {
  FencedOutError,
  isConclaveError,
  type Compare,
  type Hold,
  put,
  type PutOp,
  type StoreEvent,
} from '../../../src/index.js';
import type { World } from '../../../src/testing/index.js';
import type { FuzzClient } from './client.js';

/**
 * How a write is made: as the library wants it; by a program that no longer looks at its hold but keeps its guard; or as
 * no program should, without any guard.
 */
export type Way = 'commit' | 'guard' | 'unguarded';

/** What was refused was surely not applied; of a lost one nobody knows. */
export type WriteOutcome = 'done' | 'refused' | 'lost';

export interface WriteOptions {
  /** As the hold gave it when it was granted. */
  readonly guard: readonly Compare[];
  readonly way: Way;
}

interface Write {
  readonly count: number;
  readonly token: bigint;
  readonly id: number;
}

const key = 'fuzz/counter';

/**
 * A number that all count up, each by reading it and writing one more under a hold. The store's own history of it is the
 * judge: no write may come after one of a newer holder, none may lose another's, and what was refused must not be there.
 */
export class Counter {
  readonly #world: World;
  readonly #report: (violation: string) => void;
  readonly #acknowledged = new Set<number>();
  readonly #refused = new Set<number>();
  readonly #applied = new Set<number>();
  #lastId = 0;
  #latest: Write = { count: 0, token: 0n, id: 0 };
  #ended: Error | undefined;

  constructor(world: World, report: (violation: string) => void) {
    this.#world = world;
    this.#report = report;
    world.store.listen(
      key,
      { startRevision: 1n },
      {
        created: () => {},
        events: (_revision, events) => events.forEach((event) => this.#observe(event)),
        ended: (error) => (this.#ended = error),
      },
    );
  }

  /** @throws what the read before it throws */
  async increment(client: FuzzClient, hold: Hold, { guard, way }: WriteOptions): Promise<WriteOutcome> {
    const { store } = client.conclave;
    const { kvs } = await store.get(key);
    const count = kvs[0] ? decode(kvs[0].value).count + 1 : 1;
    const id = ++this.#lastId;
    const op = put(key, encode({ count, token: hold.fencingToken, id }));
    try {
      await write(client, { hold, guard, way, op });
      this.#acknowledged.add(id);
      return 'done';
    } catch (error) {
      if (isConclaveError(error, 'OUTCOME_UNKNOWN')) return 'lost';
      this.#refused.add(id);
      if (isConclaveError(error, 'FENCED_OUT') || isConclaveError(error, 'HOLD_LOST')) return 'refused';
      throw error;
    }
  }

  /** To be called when nothing is on its way any more. */
  async check(): Promise<void> {
    const { kvs } = await this.#world.store.get(key);
    const count = kvs[0] ? decode(kvs[0].value).count : 0;
    if (this.#ended) this.#report(`the judge's watch ended: ${this.#ended.message}`);
    if (count !== this.#latest.count)
      this.#report(`the judge missed a write: ${count}, ${this.#latest.count}`);
    const least = this.#acknowledged.size;
    const unknown = this.#lastId - least - this.#refused.size; // lost answers, and writes of clients that crashed
    if (count < least || count > least + unknown)
      this.#report(`the counter is ${count}, with ${least} acknowledged and ${unknown} unknown writes`);
    for (const id of this.#acknowledged)
      if (!this.#applied.has(id)) this.#report(`write ${id} was acknowledged but not applied`);
    for (const id of this.#refused)
      if (this.#applied.has(id)) this.#report(`write ${id} was refused but applied`);
  }

  #observe({ kv }: StoreEvent): void {
    const write = decode(kv.value);
    const { count, token } = this.#latest;
    this.#applied.add(write.id);
    if (write.token < token)
      this.#report(`revision ${kv.modRevision}: a write with token ${write.token} after one with ${token}`);
    // The same one may come twice: a request that the network repeats.
    if (write.count !== count + 1 && write.id !== this.#latest.id)
      this.#report(`revision ${kv.modRevision}: the counter went from ${count} to ${write.count}`);
    this.#latest = write;
  }
}

interface WriteParts extends WriteOptions {
  readonly hold: Hold;
  readonly op: PutOp;
}

async function write(
  { conclave: { store } }: FuzzClient,
  { hold, guard, way, op }: WriteParts,
): Promise<void> {
  switch (way) {
    case 'commit':
      await hold.commit([op]);
      return;
    case 'guard': {
      const { succeeded } = await store.txn({ if: guard, then: [op] });
      if (!succeeded) throw new FencedOutError('the guard refused', hold);
      return;
    }
    case 'unguarded':
      await store.do(op);
      return;
  }
}

function encode({ count, token, id }: Write): string {
  return `${count} ${token} ${id}`;
}

function decode(value: Uint8Array): Write {
  const [count = '', token = '', id = ''] = Buffer.from(value).toString().split(' ');
  return { count: Number(count), token: BigInt(token), id: Number(id) };
}
