import { describe, expect, it } from 'vitest';
import { toText } from '../../src/index.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { fates, opened, watched } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';
import { keysBelow } from './parties.js';

/** Such that a request is given up before a call is. */
const ttlMs = 12_000;
const gateKey = 'conclave/gate/g';
const latchAt = 'conclave/latch/l/';

const writes =
  (part: string) =>
  ({ then }: RequestTo<'txn'>): boolean =>
    then.some((op) =>
      op.kind === 'put'
        ? toText(op.key).includes(part)
        : op.kind === 'remove' && toText(op.range.key).includes(part),
    );

describe.each(fates)('a request %s', (_, strike) => {
  it('closes a gate once, and not again when that is opened', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    const fault = strike(world, a, { method: 'txn', where: writes('/gate/') });

    await world.run(a.gate('g').close());

    expect(fault.hasFired).toBe(true);
    expect(await outcome(b.gate('g').close())).toMatchObject({ code: 'ALREADY_EXISTS' });
    await world.run(b.gate('g').open());
    await world.advance(30_000);
    expect(await keysBelow(world, gateKey)).toEqual([]);
  });

  it.each(['g', { path: 'conclave/gate/g' }])('opens the gate at %j, and no later closure', async (place) => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    await b.gate(place).close();
    const fault = strike(world, a, { method: 'txn', where: writes('/gate/') });

    const opening = await world.run(outcome(a.gate(place).open()));

    expect(fault.hasFired).toBe(true);
    // It does not wait for what is silent for that long.
    if (opening !== undefined) expect(opening).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await world.run(b.gate(place).open());
    await b.gate(place).close();
    await world.advance(30_000);
    expect(await keysBelow(world, gateKey)).toHaveLength(1);
    await b.gate(place).open();
  });

  it('arrives at a latch once, and never at a later one', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    const latch = b.latch('l', { count: 3 });
    await latch.arrive('b');
    const fault = strike(world, a, { method: 'txn', where: writes('/arrived/') });

    expect(await world.run(a.latch('l', { count: 3 }).arrive('a'))).toBe(true);

    expect(fault.hasFired).toBe(true);
    expect(await latch.remaining()).toBe(1);
    await latch.reset();
    await latch.arrive('b');
    await world.advance(30_000);
    expect(await latch.remaining()).toBe(2);
    await latch.reset();
  });

  it('resets a latch, and no later one', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    const latch = b.latch('l', { count: 3 });
    await latch.arrive('b');
    const fault = strike(world, a, { method: 'txn', where: writes('/latch/') });

    const resetting = await world.run(outcome(a.latch('l', { count: 3 }).reset()));

    expect(fault.hasFired).toBe(true);
    if (resetting !== undefined) expect(resetting).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await latch.reset();
    await latch.arrive('b');
    await world.advance(30_000);
    expect(await latch.remaining()).toBe(2);
    await latch.reset();
  });
});

describe('who waits at a gate', () => {
  it('passes although it was closed again before that was seen', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    await a.gate('g').close();
    const waiting = watched(world, b.gate('g').wait());
    await world.settle();
    world.partition(b, { refuses: true });
    await a.gate('g').open();
    await a.gate('g').close();
    world.compactUnderWatches(b);
    world.heal(b);
    await world.advance(5_000);

    expect(waiting.isIn).toBe(true);
    await a.gate('g').open();
  });

  it('is not let through by compactions and broken streams', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    await a.gate('g').close();
    const waiting = watched(world, b.gate('g').wait());
    await world.settle();
    for (let i = 0; i < 3; i++) {
      world.compactUnderWatches(b);
      world.breakStreams(b, 'watch');
      await world.advance(3_000);
    }
    expect(waiting.isIn).toBe(false);
    await a.gate('g').open();
    await world.run(waiting.promise);
  });

  it('needs no session, survives one, and leaves no watch behind', async () => {
    await using world = await World.open();
    const [a, b, c] = [await opened(world), await world.client(), await opened(world)];
    await a.gate('g').close();
    const waiting = [watched(world, b.gate('g').wait()), watched(world, c.gate('g').wait())];
    const before = world.watches(b).length;
    await world.settle();
    expect(world.watches(b)).toHaveLength(before + 1);
    await world.expireSession(c);
    await a.gate('g').open();
    await world.settle();
    expect(waiting.every(({ isIn }) => isIn)).toBe(true);
    expect(world.watches(b)).toEqual([]);
    // Nor is it told of what only begins like its key.
    const asked = world
      .calls(b)
      .map(({ method, request }) => [method, 'range' in request && request.range.end === undefined]);
    expect(asked).toEqual([
      ['get', true],
      ['watch', true],
    ]);
  });

  it('passes when a crashed process has closed it while it was alive', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, 5_000), await opened(world)];
    await a.gate('g').close({ whileAlive: true });
    const waiting = watched(world, b.gate('g').wait());
    world.crash(a);
    await world.advance(4_000);
    expect(waiting.isIn).toBe(false);
    await world.advance(4_000);
    expect(waiting.isIn).toBe(true);
  });

  it('is told who has closed it, when its time is up; the store may be away', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    await a.gate('g').close();
    const late = outcome(b.gate('g').wait({ timeoutMs: 1_000 }));
    await world.settle();
    world.partition(b);
    await world.advance(1_000);
    expect(await late).toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining('closed by client-1') as unknown,
    });
    const waiting = outcome(b.gate('g').wait());
    await world.advance(10_000);
    const stop = new AbortController();
    const stopped = outcome(b.gate('g').wait({ signal: stop.signal }));
    stop.abort('enough');
    expect(await stopped).toBe('enough');
    world.heal(b);
    await a.gate('g').open();
    expect(await world.run(waiting)).toBeUndefined();
  });

  it('is told when its Conclave closes', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    await a.gate('g').close();
    const waiting = outcome(b.gate('g').wait());
    await world.settle();
    await b.close();
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
    for (const call of [b.gate('g').close(), b.gate('g').open(), b.gate('g').wait()])
      expect(await outcome(call)).toMatchObject({ code: 'CLOSED' });
    await a.gate('g').open();
  });
});

describe('a gate', () => {
  it('whose key is the prefix of a lock has nothing to do with it', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    await a.gate({ path: 'conclave/x/' }).close();
    const waiting = watched(world, b.gate({ path: 'conclave/x/' }).wait());
    const hold = await a.mutex({ path: 'conclave/x' }).acquire();
    await world.settle();
    const next = b.mutex({ path: 'conclave/x' }).acquire();
    await world.settle();
    await hold.release();
    await (await world.run(next, { limitMs: 1_000 })).release();
    expect(waiting.isIn).toBe(false);
    await a.gate({ path: 'conclave/x/' }).open();
    await world.settle();
    expect(waiting.isIn).toBe(true);
  });

  it('opens while the store is full, and cannot be closed then', async () => {
    await using world = await World.open();
    const a = await opened(world);
    for (const place of ['g', { path: 'conclave/gate/g' }]) {
      await a.gate(place).close();
      world.engine.noSpace = true;
      await world.run(a.gate(place).open());
      expect(await keysBelow(world, gateKey)).toEqual([]);
      expect(await world.run(outcome(a.gate(place).close()))).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
      world.engine.noSpace = false;
      await a.gate(place).open();
    }
  });

  it('by path keeps the lease of its closure while it is being opened', async () => {
    await using world = await World.open();
    const [a, c] = [await opened(world), await opened(world)];
    await a.gate({ path: gateKey }).close({ whileAlive: true });
    world.dropRequest(c, { method: 'txn', nth: 2, where: writes('/gate/'), isSilent: true });
    void outcome(c.gate({ path: gateKey }).open());
    await world.settle();
    const [kv] = (await world.store.get(gateKey)).kvs;
    expect(kv?.version).toBe(2n);
    expect(kv?.lease).not.toBe(0n);
    world.crash(c); // between the put and the delete
    await world.run(a.close());
    expect(await keysBelow(world, gateKey)).toEqual([]);
  });
});

describe('a latch', () => {
  it('opens for who waits although compactions and broken streams hide the arrivals', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    const latch = a.latch('l', { count: 2 });
    const waiting = watched(world, b.latch('l', { count: 2 }).wait());
    await world.settle();
    world.partition(b, { refuses: true });
    await latch.arrive('1');
    world.compactUnderWatches(b);
    await latch.arrive('2');
    world.compactUnderWatches(b);
    world.heal(b);
    await world.advance(5_000);
    expect(waiting.isIn).toBe(true);
    await latch.reset();
  });

  it('counts who has arrived and crashed', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, 5_000), await opened(world)];
    await a.latch('l', { count: 2 }).arrive('a');
    world.crash(a);
    await world.advance(10_000);
    const latch = b.latch('l', { count: 2 });
    expect(await latch.remaining()).toBe(1);
    expect(await latch.arrive('a')).toBe(false);
    await latch.arrive('b');
    await latch.wait({ timeoutMs: 0 });
    await latch.reset();
  });

  it('does not count for the next latch what a crashed process had sent for this one', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world, ttlMs), await opened(world, ttlMs)];
    const latch = b.latch('l', { count: 2 });
    await latch.arrive('b');
    world.delayRequest(a, { method: 'txn', where: writes('/arrived/'), ms: 3_000, isSilent: true });
    void outcome(a.latch('l', { count: 2 }).arrive('a'));
    await world.settle();
    world.crash(a);
    await latch.reset();
    await latch.arrive('b');
    await world.advance(10_000);
    expect(await latch.remaining()).toBe(1);
    await latch.reset();
  });

  it('turns away who waits when it is reset, also if the next one is there already', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    const latch = a.latch('l', { count: 2 });
    await latch.arrive('1');
    const waiting = outcome(b.latch('l', { count: 2 }).wait());
    await world.settle();
    world.partition(b, { refuses: true });
    await latch.reset();
    await latch.arrive('1');
    await latch.arrive('2');
    world.compactUnderWatches(b);
    world.heal(b);
    expect(await world.run(waiting)).toMatchObject({ code: 'CONFLICT' });
    await latch.reset();
    expect(await keysBelow(world, latchAt)).toEqual([]);
  });

  it('tells an observer of each arrival in order, over broken streams', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    const latch = a.latch('l', { count: 3 });
    const seen: number[] = [];
    const observing = (async () => {
      for await (const { arrived } of b.latch('l', { count: 3 }).observe()) {
        seen.push(arrived);
        if (arrived === 3) return;
      }
    })();
    await world.settle();
    for (const id of ['1', '2', '3']) {
      await latch.arrive(id);
      world.breakStreams(b, 'watch');
    }
    await world.run(observing);
    expect(seen).toEqual([0, 1, 2, 3]);
    await latch.reset();
  });

  it('goes on with the next latch of its name in the same object', async () => {
    await using world = await World.open();
    const [a, b] = [await opened(world), await opened(world)];
    const [mine, theirs] = [a.latch('l', { count: 2 }), b.latch('l', { count: 2 })];
    await mine.arrive('a');
    await theirs.reset();
    expect(await mine.arrive('a')).toBe(true);
    await theirs.reset();
    await b.latch('l', { count: 5 }).arrive('x');
    expect(await outcome(mine.arrive('a'))).toMatchObject({ code: 'CONFLICT' });
    await theirs.reset();
  });
});
