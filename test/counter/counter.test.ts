import { describe, expect, it } from 'vitest';
import type { Conclave } from '../../src/index.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { fates } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';

const key = 'conclave/counter/c';
/** Puts the counter, and a receipt. */
const isWrite = ({ then }: RequestTo<'txn'>): boolean =>
  then.some((op) => op.kind === 'put' && Buffer.from(op.key).toString() === key);

async function stage(world: World): Promise<Conclave> {
  world.allowKeys(key);
  return world.client();
}

async function stored(world: World): Promise<string | undefined> {
  const [kv] = (await world.store.get(key)).kvs;
  return kv && Buffer.from(kv.value).toString();
}

/** How many requests it takes. */
async function cost(world: World, client: Conclave, work: () => Promise<unknown>): Promise<number> {
  const before = world.calls(client).length;
  await work();
  return world.calls(client).length - before;
}

describe('a counter', () => {
  it('begins with 0, and tells each who adds the value right after that', async () => {
    await using world = await World.open();
    const counter = (await stage(world)).counter('c');
    expect((await counter.get()).value).toBe(0n);
    expect(await Promise.all([counter.add(), counter.add(10), counter.add(-3n)])).toEqual([1n, 11n, 8n]);
    expect(await counter.get()).toEqual({ value: 8n, revision: world.revision });
    expect(await stored(world)).toBe('8');
  });

  it('takes one round trip to add to or to read, once there is a session', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const counter = client.counter('c');
    await counter.add();
    expect(await cost(world, client, () => counter.add())).toBe(1);
    expect(await cost(world, client, () => counter.get())).toBe(1);
    expect(await cost(world, client, () => counter.set(5))).toBe(1);
    expect(await cost(world, client, () => counter.compareAndSet(5, 6))).toBe(1);
  });

  it('takes two round trips at most for all that one process adds at the same time', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const counter = client.counter('c');
    await counter.add();
    const adds = async (): Promise<void> => {
      const first = counter.add();
      await Promise.resolve().then(() => Promise.resolve()); // it is under way
      const others = Array.from({ length: 99 }, () => counter.add());
      expect([await first, ...(await Promise.all(others))]).toEqual(
        Array.from({ length: 100 }, (_, i) => BigInt(i + 2)),
      );
    };
    expect(await cost(world, client, adds)).toBeLessThanOrEqual(2);
  });

  it('takes one round trip more if another process has changed it, and no time', async () => {
    await using world = await World.open();
    const [one, other] = [await stage(world), await stage(world)];
    const [mine, theirs] = [one.counter('c'), other.counter('c')];
    await mine.add();
    expect(await theirs.add()).toBe(2n);
    expect(await cost(world, one, () => mine.add())).toBe(2);
    expect(await mine.compareAndSet(3n, 7n)).toBe(true);
    expect(await theirs.compareAndSet(3n, 8n)).toBe(false);
    expect(await theirs.compareAndSet(7n, 8n)).toBe(true);
    expect(await mine.compareAndSet(8n, 9n)).toBe(true);
    expect(await theirs.add()).toBe(10n);
  });

  it('goes on from what is there after the store was restored from a snapshot, whose revisions are smaller', async () => {
    await using world = await World.open();
    const counter = (await stage(world)).counter('c');
    expect(await counter.add(7)).toBe(7n);
    const mend = fromTheFuture(world);
    await counter.get();
    mend();
    expect(await counter.add()).toBe(8n);
    expect(await stored(world)).toBe('8');
  });

  it.each(fates)(
    'counts what was added once, or says that it was not, in a request %s',
    async (_, strike) => {
      await using world = await World.open();
      const client = await stage(world);
      const counter = client.counter('c');
      const fault = strike(world, client, { method: 'txn', where: isWrite });

      const told = await world.run(outcome(Promise.all([counter.add(2), counter.add(3)])));

      expect(fault.hasFired).toBe(true);
      // Who hears nothing for as long as a call may take is told so, when no copy can be applied any more.
      const isAdded = Array.isArray(told);
      expect(told).toEqual(isAdded ? [2n, 5n] : expect.objectContaining({ code: 'UNAVAILABLE' }));
      await world.advance(60_000);
      expect(await counter.add()).toBe(isAdded ? 6n : 1n);
    },
  );

  it.each(fates)('is not set once more to an old value by a request %s', async (_, strike) => {
    await using world = await World.open();
    const client = await stage(world);
    const counter = client.counter('c');
    await counter.add(); // opens the session
    strike(world, client, { method: 'txn', where: isWrite });
    await world.run(outcome(counter.set(10)));
    await counter.set(20);
    await world.advance(60_000);
    expect(await stored(world)).toBe('20');
  });

  it('counts once what was under way when the session got lost', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 6_000 });
    world.allowKeys(key);
    const counter = client.counter('c');
    await counter.add();
    world.delayRequest(client, { method: 'txn', where: isWrite, ms: 40_000, isSilent: true });
    const adding = counter.add(5);
    await world.settle();
    await world.expireSession(client);
    expect(await world.run(adding)).toBe(6n);
    await world.advance(60_000);
    expect(await stored(world)).toBe('6');
  });

  it('tells of each value in order, also to a reader that began later', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const counter = client.counter('c');
    await counter.add(4);
    const values: bigint[] = [];
    const end = new AbortController();
    const watching = (async () => {
      for await (const { value } of counter.observe({ signal: end.signal })) values.push(value);
    })();
    const told = outcome(watching);
    await world.settle();
    await counter.add();
    await counter.set(5); // no other value
    await counter.add(-5);
    await world.settle();
    end.abort();
    await told;
    expect(values).toEqual([4n, 5n, 0n]);
  });

  it('counts exactly where numbers would not, and refuses what does not fit into 64 bits, alone', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const counter = client.counter('c');
    await counter.set(2n ** 53n);
    expect(await counter.add()).toBe(9_007_199_254_740_993n);
    await counter.set(2n ** 63n - 2n);
    const adds = [counter.add(1), counter.add(1), counter.add(-3)].map(outcome);
    expect(await Promise.all(adds)).toEqual([
      2n ** 63n - 1n,
      expect.objectContaining({ code: 'CONFLICT' }),
      2n ** 63n - 4n,
    ]);
    expect(await outcome(client.counter('c').add(2n ** 63n - 1n))).toMatchObject({ code: 'CONFLICT' });
    expect(await stored(world)).toBe(String(2n ** 63n - 4n));
  });

  it.each(['', '{"v":2}', '007', '1e3', '9223372036854775808'])(
    'does not touch what is no number: %j',
    async (text) => {
      await using world = await World.open();
      const client = await stage(world);
      await world.store.put(key, text);
      const counter = client.counter('c');
      for (const refused of [
        counter.add(),
        counter.get(),
        counter.compareAndSet(0, 1),
        counter.observe().next(),
      ])
        expect(await outcome(refused)).toMatchObject({ code: 'CONFLICT' });
      expect(await stored(world)).toBe(text);
    },
  );

  it('rejects with UnavailableError if the store is away, and has added nothing', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const counter = client.counter('c');
    await counter.add();
    world.partition(client, { refuses: true });
    expect(await world.run(outcome(counter.add()))).toMatchObject({ code: 'UNAVAILABLE' });
    world.heal(client);
    await world.advance(30_000);
    expect(await stored(world)).toBe('1');
  });

  it.each([1.5, NaN, 2 ** 53, '1', 2n ** 63n])(
    'refuses to add %s before anything is sent',
    async (amount) => {
      await using world = await World.open();
      const client = await stage(world);
      const refused = await outcome(client.counter('c').add(amount as number));
      expect(refused instanceof TypeError || refused instanceof RangeError).toBe(true);
      expect(world.calls(client)).toEqual([]);
    },
  );
});

/** What is read seems to be of a later revision, until what is returned is called. */
function fromTheFuture(world: World): () => void {
  const { engine } = world;
  const execute = engine.execute.bind(engine);
  engine.execute = (method, request) => {
    const answer = execute(method, request);
    if (!('kvs' in answer)) return answer;
    return { ...answer, kvs: answer.kvs.map((kv) => ({ ...kv, modRevision: kv.modRevision + 1_000n })) };
  };
  return () => (engine.execute = execute);
}
