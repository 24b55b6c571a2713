import { describe, expect, it } from 'vitest';
import { type Conclave, type Delivery, isConclaveError, prefix } from '../../src/index.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { fates } from '../lock/lines.js';
import * as requests from './requests.js';

type Txn = RequestTo<'txn'>;
type Where = (request: Txn) => boolean;

const kinds: readonly (readonly [string, Where])[] = [
  ['a look', requests.isLook],
  ['an enqueue', requests.isEnqueue],
  ['a claim', requests.isClaim],
  ['a worker that stands in line', requests.isStanding],
  ['a settlement', requests.isSettlement],
  ['the promotion of a delayed job', requests.isPromotion],
  ['a group that is filled', requests.isFill],
  ['a cancel', requests.isCancel],
  ['a pause', requests.isPause],
];

const values = ['plain', 'fails', 'given back', 'later', 'g1', 'g2', 'urgent'];

/** Everything that can happen to jobs, once. Whatever is refused or unknown is tried again. */
class Life {
  /** Values whose `ack` has resolved, or is unknown. */
  readonly done: unknown[] = [];
  readonly unknown: unknown[] = [];
  readonly #world: World;
  #errors = 0;
  readonly #stop = new AbortController();
  readonly #attempts = new Map<unknown, number>();

  constructor(world: World) {
    this.#world = world;
  }

  async produce(client: Conclave): Promise<void> {
    const queue = client.queue('q');
    const put = (value: string, options: object = {}): Promise<void> =>
      persist(() => queue.enqueue(value, { id: value, backoff: { minMs: 100 }, ...options }));
    await put('plain');
    await put('fails');
    await put('given back');
    await put('later', { runAt: 1_700_000_000_000 + this.#world.now() + 2_000 });
    await put('g1', { group: 'g' });
    await put('g2', { group: 'g' });
    await put('urgent', { priority: 5 });
    await put('cancelled', { runAt: 1_700_000_000_000 + this.#world.now() + 50_000 });
    await persist(() => queue.pause());
    await persist(() => queue.cancel('cancelled'));
    await persist(() => queue.resume());
  }

  async work(client: Conclave): Promise<void> {
    const queue = client.queue('q');
    while (!this.#stop.signal.aborted) {
      const delivery = await queue.receive({ signal: this.#stop.signal }).catch((error: unknown) => {
        if (!this.#stop.signal.aborted && ++this.#errors > 100) throw error;
        return undefined;
      });
      if (delivery) await this.#handle(delivery).catch(() => {});
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  async #handle(delivery: Delivery): Promise<void> {
    const { value } = delivery;
    const attempt = (this.#attempts.get(value) ?? 0) + 1;
    this.#attempts.set(value, attempt);
    if (value === 'fails' && attempt === 1) return delivery.retry();
    if (value === 'given back' && attempt === 1) return delivery.release();
    await delivery.ack().then(
      () => this.done.push(value),
      (error: unknown) => isConclaveError(error, 'OUTCOME_UNKNOWN') && this.unknown.push(value),
    );
  }
}

async function persist(work: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const error = await work().then(
      () => undefined,
      (cause: unknown) => cause ?? 'failed',
    );
    if (error === undefined) return;
  }
  throw new Error('tried ten times');
}

/** Each is done once, as far as anybody knows; nothing is left, nor comes back with what is still on its way. */
async function expectAllDone(world: World, life: Life, observer: Conclave): Promise<void> {
  await world.advance(60_000);
  expect(await observer.queue('q').inspect()).toMatchObject({
    ...{ ready: 0, delayed: 0, grouped: 0, dead: 0, running: [], isPaused: false },
  });
  expect(life.done.filter((value, i) => life.done.indexOf(value) < i)).toEqual([]);
  expect([...new Set([...life.done, ...life.unknown])].sort()).toEqual([...values].sort());
  const { kvs } = await world.store.get(prefix('conclave/queue/q/slot/'));
  expect(kvs).toEqual([]);
}

describe.each(kinds)('%s', (_kind, where) => {
  it.each(fates)('%s', async (_fate, strike) => {
    for (const nth of [1, 2]) {
      await using world = await World.open({ seed: nth });
      const client = await world.client({ sessionTtlMs: 12_000 });
      const observer = await world.client();
      const life = new Life(world);
      let seen = 0;
      strike(world, client, { method: 'txn', where: (request) => where(request) && ++seen === nth });
      const working = life.work(client);

      await world.run(life.produce(client), { limitMs: 120_000 });
      await expectAllDone(world, life, observer);

      life.stop();
      await world.run(working);
    }
  });

  it.each(['before it is executed', 'after it'])('whose session ends %s', async (when) => {
    for (const nth of [1, 2]) {
      await using world = await World.open({ seed: nth });
      const client = await world.client({ sessionTtlMs: 12_000 });
      const observer = await world.client();
      const life = new Life(world);
      let seen = 0;
      const strike = (request: Txn): boolean => {
        if (!where(request) || ++seen !== nth) return false;
        if (when === 'after it') queueMicrotask(() => void world.expireSession(client).catch(() => {}));
        else void world.expireSession(client).catch(() => {});
        return true;
      };
      world.delayReply(client, { method: 'txn', where: strike, ms: 50 });
      const working = life.work(client);

      await world.run(life.produce(client), { limitMs: 120_000 });
      await expectAllDone(world, life, observer);

      life.stop();
      await world.run(working);
    }
  });

  it('while the store is away for a while, or the process stands still', async () => {
    for (const how of ['partition', 'pause'] as const) {
      await using world = await World.open();
      const client = await world.client({ sessionTtlMs: 12_000 });
      const observer = await world.client();
      const life = new Life(world);
      const strike = (request: Txn): boolean => {
        if (!where(request)) return false;
        world[how](client);
        return true;
      };
      world.delayReply(client, { method: 'txn', where: strike, ms: 1 });
      const working = life.work(client);
      const producing = life.produce(client);
      await world.advance(10_000);
      await world.advance(10_000);
      if (how === 'pause') world.resume(client);
      else world.heal(client);

      await world.run(producing, { limitMs: 120_000 });
      await expectAllDone(world, life, observer);

      life.stop();
      await world.run(working);
    }
  });
});
