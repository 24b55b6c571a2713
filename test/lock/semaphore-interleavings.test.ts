import { describe, expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';
import { fates, fullAfter, isRemoval, isResize, opened, permitLine, standing, watched } from './lines.js';
import { outcome } from './observe.js';

const weights = async (world: World): Promise<(number | undefined)[]> =>
  (await standing(world, permitLine('s'))).map(({ weight }) => weight);
const stored = async (world: World, key: string): Promise<string | undefined> => {
  const [kv] = (await world.store.get(`conclave/semaphore/s/${key}`)).kvs;
  return kv && Buffer.from(kv.value).toString();
};
/** Puts a ticket, by nested transactions. */
const isTake = ({ then: [first] }: { then: readonly { kind: string }[] }): boolean => first?.kind === 'txn';

describe.each(fates)('a take of permits %s', (_, strike) => {
  it.each(['acquire', 'tryAcquire'] as const)(
    'has them once by %s, and leaves nothing ever',
    async (method) => {
      await using world = await World.open();
      const client = await opened(world, 60_000);
      const semaphore = client.semaphore('s', { limit: 3 });
      const fault = strike(world, client, { method: 'txn', where: isTake });

      const result = await world.run(outcome(semaphore[method]({ permits: 2 })));

      expect(fault.hasFired).toBe(true);
      if (result instanceof Error) {
        expect(result).toMatchObject({ code: 'UNAVAILABLE' }); // it does not wait that long
        expect(method).toBe('tryAcquire');
      } else {
        expect(await weights(world)).toEqual([2]);
        await (result as AsyncDisposable)[Symbol.asyncDispose]();
      }
      await world.advance(30_000);
      expect(await weights(world)).toEqual([]);
      await using all = await semaphore.tryAcquire({ permits: 3 });
      expect(all?.isHeld()).toBe(true);
    },
  );

  it('that is given up leaves nothing, ever', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    const caller = new AbortController();
    world.latency(client, { requestMs: 5, replyMs: 5 });
    strike(world, client, { method: 'txn', where: isTake });
    const waiting = outcome(client.semaphore('s', { limit: 1 }).acquire({ signal: caller.signal }));
    await world.advance(7);

    caller.abort('enough');

    expect(await waiting).toBe('enough');
    await world.advance(40_000);
    expect(await weights(world)).toEqual([]);
  });

  it('that names another limit is refused, and no copy of it puts a ticket or a limit later', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    await using hold = await other.semaphore('s', { limit: 1 }).acquire();
    strike(world, client, { method: 'txn', where: isTake });

    const refused = outcome(client.semaphore('s', { limit: 2 }).acquire());
    expect(await world.run(refused)).toMatchObject({ code: 'CONFLICT' });
    await other.semaphore('s').resize(2); // now it would be right
    await world.advance(30_000);

    expect((await standing(world, permitLine('s'))).map(({ key }) => key)).toEqual([hold.key]);
  });
});

/** Such that a request is given up before a resize is. */
const patientTtlMs = 12_000;

describe.each(fates)('a resize %s', (_, strike) => {
  it('is done when it says so, and is not done again when another has come since', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, patientTtlMs), await opened(world, patientTtlMs)];
    await client.semaphore('s').resize(4); // leaves a receipt in the slot that the next one uses
    const fault = strike(world, client, { method: 'txn', where: isResize });

    await world.run(client.semaphore('s').resize(5));

    expect(fault.hasFired).toBe(true);
    expect(await stored(world, 'limit')).toBe('5');
    await other.semaphore('s').resize(2);
    await other.semaphore('s').resize(5);
    await other.semaphore('s').resize(3);
    await world.advance(30_000);
    expect(await stored(world, 'limit')).toBe('3');
  });

  it('is done once, beside one that another does meanwhile', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, patientTtlMs), await opened(world, patientTtlMs)];
    await (await client.semaphore('s', { limit: 2 }).acquire()).release();
    strike(world, client, { method: 'txn', where: isResize });
    const resized = client.semaphore('s').resize(5);
    await world.settle();
    const wasDone = (await stored(world, 'limit')) === '5';
    await other.semaphore('s').resize(9);

    await world.run(resized);

    expect(await stored(world, 'limit')).toBe(wasDone ? '9' : '5');
    await world.advance(30_000);
    expect(await stored(world, 'limit')).toBe(wasDone ? '9' : '5');
  });

  it('is seen by who waits', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, patientTtlMs), await opened(world, patientTtlMs)];
    await using hold = await other.semaphore('s', { limit: 1 }).acquire();
    const waiting = other.semaphore('s').acquire();
    await world.settle();
    strike(world, client, { method: 'txn', where: isResize });

    await world.run(client.semaphore('s').resize(2));

    await using next = await world.run(waiting);
    expect(hold.isHeld() && next.isHeld()).toBe(true);
  });

  it('leaves no receipt behind its session', async () => {
    await using world = await World.open();
    const client = await opened(world, patientTtlMs);
    strike(world, client, { method: 'txn', where: isResize });
    await world.run(client.semaphore('s').resize(5));
    await client.close();
    await world.advance(30_000);
    expect((await world.store.get('conclave/did/')).kvs).toEqual([]);
    expect(await stored(world, 'limit')).toBe('5');
  });
});

describe('a resize', () => {
  it('whose session ends before it was heard that it is done says so, and is not done again', async () => {
    await using world = await World.open();
    const client = await opened(world, patientTtlMs);
    const fault = world.dropReply(client, { method: 'txn', where: isResize, isSilent: true });
    const resized = client.semaphore('s').resize(5);
    await world.settle();
    await world.expireSession(client);

    await world.run(resized);

    expect(fault.hasFired).toBe(true);
    expect((await world.store.get('conclave/semaphore/s/limit')).kvs).toMatchObject([{ version: 1n }]);
  });

  it('whose session ends before it arrives is done under the next one, once', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, patientTtlMs), await opened(world, 60_000)];
    await client.semaphore('s').resize(2);
    world.delayRequest(client, { method: 'txn', where: isResize, ms: 20_000, isSilent: true });
    const resized = client.semaphore('s').resize(5);
    await world.settle();
    await world.expireSession(client);

    await world.run(resized);

    expect(await stored(world, 'limit')).toBe('5');
    await other.semaphore('s').resize(3);
    await world.advance(30_000);
    expect(await stored(world, 'limit')).toBe('3');
  });

  it('whose session ends when there is no more time for it is not done later', async () => {
    await using world = await World.open();
    const client = await opened(world);
    await client.semaphore('s').resize(2);
    world.delayRequest(client, { method: 'txn', where: isResize, ms: 20_000, isSilent: true });
    const resized = outcome(client.semaphore('s').resize(5));
    await world.settle();

    await world.expireSession(client);
    await world.advance(30_000);

    expect(await resized).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await stored(world, 'limit')).toBe('2');
  });

  it('that cannot reach the store gives up in time, and is not done later', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    await client.semaphore('s').resize(2);
    world.partition(client, { refuses: true });

    expect(await world.run(outcome(client.semaphore('s').resize(5)))).toMatchObject({ code: 'UNAVAILABLE' });

    world.heal(client);
    await world.advance(10_000);
    expect(await stored(world, 'limit')).toBe('2');
  });

  it('that was given up in time is not done later', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    await client.semaphore('s').resize(2);
    world.delayRequest(client, { method: 'txn', where: isResize, ms: 20_000, isSilent: true });

    expect(await world.run(outcome(client.semaphore('s').resize(5)))).toMatchObject({ code: 'UNAVAILABLE' });

    await world.advance(30_000);
    expect(await stored(world, 'limit')).toBe('2');
  });

  it('goes by what is taken when it is done, not when it looked', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const semaphore = other.semaphore('s');
    await semaphore.resize(1);
    world.latency(client, { requestMs: 20, replyMs: 20 });
    const resized = client.semaphore('s').resize(2);
    await world.advance(45); // it has looked
    await semaphore.resize(9);
    await using hold = await semaphore.acquire({ permits: 7 });

    await world.run(resized);

    expect(await semaphore.inspect()).toMatchObject({ limit: 2, used: 7, isOverLimit: true });
    expect(hold.isHeld()).toBe(true);
  });

  it('in a store that is full may be done or not, as it says', async () => {
    await using world = await World.open();
    const client = await opened(world);
    world.engine.noSpace = true;
    expect(await outcome(client.semaphore('s').resize(5))).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    world.engine.noSpace = false;
    await client.semaphore('s').resize(6);
    fullAfter(world, isResize);
    expect(await outcome(client.semaphore('s').resize(7))).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(await stored(world, 'limit')).toBe('7');
    await client.semaphore('s').resize(8);
    expect(await stored(world, 'limit')).toBe('8');
  });

  it('after a close is refused, and during it ends', async () => {
    await using world = await World.open();
    const client = await opened(world);
    world.latency(client, { requestMs: 50, replyMs: 50 });
    const resized = outcome(client.semaphore('s').resize(5));
    await world.advance(60);
    const closing = client.close();

    const result = await world.run(resized);
    await world.run(closing);

    if (result !== undefined)
      expect(['CLOSED', 'OUTCOME_UNKNOWN', 'SESSION_LOST']).toContain((result as { code: string }).code);
    const limit = await stored(world, 'limit');
    await world.advance(30_000);
    expect(await stored(world, 'limit')).toBe(limit);
    expect(await outcome(client.semaphore('s').resize(6))).toMatchObject({ code: 'CLOSED' });
  });

  it('by many at once does each of them once', async () => {
    await using world = await World.open();
    const clients = [await opened(world), await opened(world), await opened(world)];
    await Promise.all(
      clients.flatMap((client, i) => [1, 2].map((n) => client.semaphore('s').resize(i * 2 + n))),
    );
    const kv = (await world.store.get('conclave/semaphore/s/limit')).kvs[0];
    expect(kv?.version).toBe(6n);
  });

  it('downward turns away the waiter that is too heavy, wherever it stands, also if its watch lags', async () => {
    await using world = await World.open();
    const [client, lagging] = [await opened(world, 60_000), await opened(world, 60_000)];
    const hold = await client.semaphore('s', { limit: 4 }).acquire({ permits: 4 });
    const light = watched(world, client.semaphore('s').acquire({ permits: 2 }));
    await world.settle();
    world.lagWatches(lagging, 3_000);
    const heavy = outcome(lagging.semaphore('s').acquire({ permits: 3 }));
    await world.advance(3_500);
    const last = watched(world, client.semaphore('s').acquire({ permits: 1 }));
    await world.settle();

    await client.semaphore('s').resize(3);
    await client.semaphore('s').resize(2);
    await world.advance(4_000);

    expect(await heavy).toMatchObject({ code: 'CONFLICT' });
    expect([light.isIn, last.isIn]).toEqual([false, false]);
    await hold.release();
    await world.settle();
    expect([light.isIn, last.isIn]).toEqual([true, false]);
    await (await light.promise).release();
    await (await last.promise).release();
  });

  it('is seen by a waiter whose watch was compacted away', async () => {
    await using world = await World.open();
    const [client, waiter] = [await opened(world, 60_000), await opened(world, 60_000)];
    await using hold = await client.semaphore('s', { limit: 1 }).acquire();
    const waiting = waiter.semaphore('s').acquire();
    await world.settle();
    world.partition(waiter, { refuses: true });
    await client.semaphore('s').resize(2);
    world.compactUnderWatches(waiter);
    world.heal(waiter);
    await world.advance(5_000);

    await using next = await waiting;
    expect(hold.isHeld() && next.isHeld()).toBe(true);
  });
});

describe('a waiter for permits', () => {
  it('is told when the limit is deleted, instead of waiting for ever', async () => {
    await using world = await World.open();
    const [client, waiter] = [await opened(world), await opened(world)];
    await using hold = await client.semaphore('s', { limit: 1 }).acquire();
    const waiting = outcome(waiter.semaphore('s').acquire());
    await world.settle();

    await world.store.remove('conclave/semaphore/s/limit');
    await world.settle();

    expect(await waiting).toMatchObject({ code: 'CONFLICT' });
    expect(await weights(world)).toEqual([1]);
    expect(hold.isHeld()).toBe(true);
  });

  it('whose session is lost rejects, and the line goes on', async () => {
    await using world = await World.open();
    const [client, dead] = [await opened(world), await opened(world)];
    await using hold = await client.semaphore('s', { limit: 2 }).acquire();
    const heavy = outcome(dead.semaphore('s').acquire({ permits: 2 }));
    await world.settle();
    const light = client.semaphore('s').acquire();
    await world.settle();

    await world.expireSession(dead);

    await using next = await light;
    expect(await heavy).toMatchObject({ code: 'SESSION_LOST' });
    expect(hold.isHeld() && next.isHeld()).toBe(true);
  });

  it('counts the ticket of a program that does not say what it takes as all permits', async () => {
    await using world = await World.open();
    const client = await opened(world);
    await client.semaphore('s').resize(5);
    await world.store.put(`${permitLine('s')}foreign`, 'mine');
    const waiting = watched(world, client.semaphore('s').acquire());
    expect(await client.semaphore('s').tryAcquire()).toBeUndefined();
    await world.settle();
    expect(waiting.isIn).toBe(false);

    await world.store.remove(`${permitLine('s')}foreign`);

    await (await waiting.promise).release();
  });

  it('is one of many in a process, and never do they hold more than there is', async () => {
    await using world = await World.open();
    const clients = [await opened(world), await opened(world)];
    let taken = 0;
    let most = 0;
    const uses = Array.from({ length: 80 }, (_, i) =>
      clients[i % 2]!.semaphore('s', { limit: 5 }).run(
        async () => {
          const permits = (i % 3) + 1;
          most = Math.max(most, (taken += permits));
          await world.store.get('elsewhere');
          taken -= permits;
        },
        { permits: (i % 3) + 1 },
      ),
    );
    await Promise.all(uses);
    expect([most, taken]).toEqual([5, 0]);
    expect(await weights(world)).toEqual([]);
  });
});

describe('permits of a store that is full', () => {
  it.each([{ limit: 2 }, {}])('are not to be had (%j), and nothing of that stays', async (options) => {
    await using world = await World.open();
    const client = await opened(world);
    await client.semaphore('s').resize(2);
    await using hold = await client.semaphore('s', options).acquire();
    world.engine.noSpace = true;

    for (const method of ['acquire', 'tryAcquire'] as const)
      expect(await outcome(client.semaphore('s', options)[method]())).toMatchObject({
        code: 'RESOURCE_EXHAUSTED',
      });

    expect(await weights(world)).toEqual([1]);
    expect(hold.isHeld()).toBe(true);
    world.engine.noSpace = false;
    await (await client.semaphore('s', options).acquire()).release();
  });

  it('that were taken all the same are given back', async () => {
    await using world = await World.open();
    const client = await opened(world);
    fullAfter(world, isTake);

    expect(await outcome(client.semaphore('s', { limit: 1 }).acquire())).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
    });

    expect(await weights(world)).toEqual([]);
    await using hold = await client.semaphore('s').acquire();
    expect(hold.isHeld()).toBe(true);
  });
});

describe('tryAcquire of permits', () => {
  it('that finds the line changed looks again, and says what is true then', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    await using hold = await other.semaphore('s', { limit: 2 }).acquire();
    let second: Promise<unknown> | undefined;
    // Somebody takes the last permit between its look and its take.
    const seen = world.onProbe(
      'ticket.take',
      () => {
        seen.cancel();
        world.onProbe('ticket.take', () => void (second ??= outcome(other.semaphore('s').acquire())), {
          client,
        });
      },
      { client },
    );
    world.latency(client, { requestMs: 20, replyMs: 20 });

    const trying = client.semaphore('s').tryAcquire();

    expect(await world.run(trying)).toBeUndefined();
    expect(await weights(world)).toEqual([1, 1]);
    await ((await second) as AsyncDisposable)[Symbol.asyncDispose]();
    expect(hold.isHeld()).toBe(true);
  });

  it('takes what is free although somebody has left meanwhile', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const hold = await other.semaphore('s', { limit: 2 }).acquire();
    world.latency(client, { requestMs: 20, replyMs: 20 });
    const trying = client.semaphore('s').tryAcquire();
    await world.advance(45); // it has looked
    await hold.release();

    const mine = await world.run(trying);

    expect(mine?.isHeld()).toBe(true);
    expect(await weights(world)).toEqual([1]);
    await world.run(mine!.release());
  });

  it('does not overtake a resize that it has not seen', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    await using hold = await other.semaphore('s', { limit: 2 }).acquire();
    world.latency(client, { requestMs: 20, replyMs: 20 });
    const trying = client.semaphore('s').tryAcquire();
    await world.advance(45); // it has looked: one is free
    await other.semaphore('s').resize(1);

    expect(await world.run(trying)).toBeUndefined();
    expect(await weights(world)).toEqual([1]);
    expect(hold.isHeld()).toBe(true);
  });
});

it.each(fates)('a release of permits %s gives back once', async (_, strike) => {
  await using world = await World.open();
  const client = await opened(world, 60_000);
  const hold = await client.semaphore('s', { limit: 1 }).acquire();
  strike(world, client, { method: 'txn', where: isRemoval });

  await world.run(hold.release());

  await using next = await client.semaphore('s').acquire();
  await world.advance(30_000);
  expect((await standing(world, permitLine('s'))).map(({ key }) => key)).toEqual([next.key]);
});

it.each(['05', '5.0', '0x5', 'many', ''])('a limit that somebody stored as %j is none', async (text) => {
  await using world = await World.open();
  const client = await opened(world);
  await world.store.put('conclave/semaphore/s/limit', text);

  for (const semaphore of [client.semaphore('s', { limit: 5 }), client.semaphore('s')]) {
    expect(await outcome(semaphore.acquire())).toMatchObject({ code: 'CONFLICT' });
    expect(await outcome(semaphore.tryAcquire())).toMatchObject({ code: 'CONFLICT' });
  }
  expect(await weights(world)).toEqual([]);
  await client.semaphore('s').resize(5);
  await using hold = await client.semaphore('s', { limit: 5 }).acquire();
  expect(hold.isHeld()).toBe(true);
});
