import { describe, expect, it } from 'vitest';
import type { Pass } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { fates, opened, watched } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';
import { doubleAt, isLeave, isProposal, keysBelow } from './parties.js';

const ttlMs = 60_000;

async function members(world: World, count: number) {
  const all = [];
  for (let i = 0; i < count; i++) {
    const client = await opened(world, ttlMs);
    all.push({ client, barrier: client.doubleBarrier('b', { parties: count }) });
  }
  return all;
}

type Member = Awaited<ReturnType<typeof members>>[number];

async function inside(world: World, count: number): Promise<(Member & { pass: Pass })[]> {
  const all = await members(world, count);
  const passes = await world.run(Promise.all(all.map(({ barrier }) => barrier.enter())));
  return all.map((member, i) => ({ ...member, pass: passes[i]! }));
}

/** The barrier works, and nothing is left of anything. */
async function expectClean(world: World, all: readonly Member[]): Promise<void> {
  await world.advance(30_000);
  expect(await keysBelow(world, doubleAt('b'))).toEqual([]);
  await world.run(Promise.all(all.map(({ barrier }) => barrier.run(() => {}))));
  await world.advance(30_000);
  expect(await keysBelow(world, doubleAt('b'))).toEqual([]);
}

describe.each(fates)('leaving by a request %s', (_, strike) => {
  it('counts once, and all are out', async () => {
    await using world = await World.open();
    const all = await inside(world, 2);
    const [a, b] = all as [(typeof all)[0], (typeof all)[0]];
    const fault = strike(world, a.client, { method: 'txn', where: isLeave });

    await world.run(Promise.all([a.pass.leave(), b.pass.leave()]));

    expect(fault.hasFired).toBe(true);
    await expectClean(world, all);
  });

  it('or a proposal like that, all are out, and nothing of it hits a later round', async () => {
    await using world = await World.open();
    const all = await inside(world, 3);
    const [a, b, c] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    const leaving = [a.pass.leave(), b.pass.leave()];
    await world.settle();
    const fault = strike(world, c.client, { method: 'txn', where: isProposal });

    await world.run(Promise.all([...leaving, c.pass.leave()]));

    expect(fault.hasFired).toBe(true);
    await expectClean(world, all);
  });
});

describe('a round that is inside', () => {
  it('hears when it leaves of a death that nobody saw, and of nobody else', async () => {
    await using world = await World.open();
    const all = await inside(world, 4);
    const [a, b, c, d] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0], (typeof all)[0]];

    await world.expireSession(b.client);

    expect(b.pass.signal.reason).toMatchObject({ code: 'SESSION_LOST' });
    expect(await outcome(b.pass.leave())).toMatchObject({ code: 'SESSION_LOST' });
    const broken = { code: 'BROKEN_BARRIER', party: 'client-2', key: b.pass.key };
    // One after the other: who has heard of it, and gone, is not taken for dead.
    for (const { pass } of [a, d, c]) expect(await world.run(outcome(pass.leave()))).toMatchObject(broken);
    await expectClean(world, all);
  });

  it('hears of one that dies while the others wait for it, and of one that had begun to leave', async () => {
    await using world = await World.open();
    const all = await inside(world, 3);
    const [a, b, c] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]];
    const first = outcome(a.pass.leave());
    const second = outcome(b.pass.leave());
    await world.settle();

    await world.expireSession(a.client);

    expect(await first).toMatchObject({ code: 'SESSION_LOST' });
    expect(await world.run(second)).toMatchObject({ code: 'BROKEN_BARRIER', party: 'client-1' });
    expect(await world.run(outcome(c.pass.leave()))).toMatchObject({
      code: 'BROKEN_BARRIER',
      party: 'client-1',
    });
    await expectClean(world, all);
  });

  it('includes one that died after the round had tripped, and had not heard of it', async () => {
    await using world = await World.open();
    world.allowKeys(doubleAt('b'));
    const [a, b] = await members(world, 2);
    void outcome(a!.barrier.enter());
    await world.settle();
    world.partition(a!.client);
    const pass = await world.run(b!.barrier.enter());
    world.crash(a!.client);
    expect(await outcome(b!.barrier.enter())).toMatchObject({ code: 'CONFLICT' });
    const leaving = watched(world, outcome(pass.leave()));
    await world.settle();
    expect(leaving.isIn).toBe(false);

    await world.advance(ttlMs + 2_000);

    expect(await leaving.promise).toMatchObject({ code: 'BROKEN_BARRIER', party: 'client-1' });
    await world.advance(1_000);
    expect(await keysBelow(world, doubleAt('b'))).toEqual([]);
  });

  it('is left by the others although its last one dies before it could say that all have', async () => {
    await using world = await World.open();
    const all = await inside(world, 2);
    const [a, b] = all as [(typeof all)[0], (typeof all)[0]];
    const client = await opened(world, ttlMs);
    const leaving = a.pass.leave();
    await world.settle();
    world.onProbe('barrier.propose', () => world.crash(b.client), { client: b.client });
    void b.pass.leave();
    await world.advance(500);
    await leaving;
    await world.advance(ttlMs + 2_000);
    // What it had no time to remove goes with the next round.
    expect(await keysBelow(world, doubleAt('b'))).toHaveLength(1);
    const again = client.doubleBarrier('b', { parties: 2 });
    await world.run(Promise.all([again.run(() => {}), a.barrier.run(() => {})]));
    await world.advance(30_000);
    expect(await keysBelow(world, doubleAt('b'))).toEqual([]);
  });

  it('is not held up by compactions, broken streams and watches that lag', async () => {
    await using world = await World.open();
    const all = await inside(world, 2);
    const [a, b] = all as [(typeof all)[0], (typeof all)[0]];
    const leaving = a.pass.leave();
    await world.settle();
    world.lagWatches(a.client, 2_000);
    world.partition(a.client, { refuses: true });
    const other = b.pass.leave();
    await world.advance(100);
    world.compactUnderWatches(a.client);
    world.heal(a.client);
    await world.advance(5_000);
    await Promise.all([leaving, other]);
    world.lagWatches(a.client, 0);
    await expectClean(world, all);
  });

  it('is told to stop when its Conclave closes, which waits for the callback', async () => {
    await using world = await World.open();
    const [a, b] = await members(world, 2);
    let finish = (): void => {};
    let seen: Pass | undefined;
    const running = outcome(
      a!.barrier.run(async (pass) => {
        seen = pass;
        await new Promise<void>((resolve) => (finish = resolve));
      }),
    );
    const other = await world.run(b!.barrier.enter());
    await world.settle();
    const closing = watched(world, a!.client.close());
    await world.settle();

    expect(seen?.signal.reason).toMatchObject({ code: 'CLOSED' });
    expect(closing.isIn).toBe(false);
    expect(await keysBelow(world, `${doubleAt('b')}in/`)).toHaveLength(2);
    finish();
    await world.run(closing.promise);

    expect(await running).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(other.leave())).toMatchObject({ code: 'BROKEN_BARRIER', party: 'client-1' });
    await world.advance(1_000);
    expect(await keysBelow(world, doubleAt('b'))).toEqual([]);
  });

  it('that has tripped while its party closed does not keep it', async () => {
    await using world = await World.open();
    const [a, b] = await members(world, 2);
    const entering = outcome(a!.barrier.enter());
    await world.settle();
    world.lagWatches(a!.client, 10_000);
    const other = await world.run(b!.barrier.enter());
    await world.run(a!.client.close());
    expect(await entering).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(other.leave())).toMatchObject({ code: 'BROKEN_BARRIER', party: 'client-1' });
  });

  it('whose ticket somebody removed says so, to it and to the others', async () => {
    await using world = await World.open();
    const all = await inside(world, 2);
    const [a, b] = all as [(typeof all)[0], (typeof all)[0]];
    await world.store.remove(a.pass.key);
    expect(await world.run(outcome(a.pass.leave()))).toMatchObject({ code: 'CONFLICT' });
    expect(await world.run(outcome(b.pass.leave()))).toMatchObject({
      code: 'BROKEN_BARRIER',
      key: a.pass.key,
    });
    await expectClean(world, all);
  });

  it('is left while the store is full, as by one that has died', async () => {
    await using world = await World.open();
    const all = await inside(world, 2);
    const [a, b] = all as [(typeof all)[0], (typeof all)[0]];
    world.engine.noSpace = true;
    expect(await world.run(outcome(a.pass.leave()))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    world.engine.noSpace = false;
    await world.advance(5_000);
    expect(await keysBelow(world, `${doubleAt('b')}in/`)).toHaveLength(1);
    expect(await world.run(outcome(b.pass.leave()))).toMatchObject({
      code: 'BROKEN_BARRIER',
      key: a.pass.key,
    });
    await expectClean(world, all);
  });

  it('of which all have come turns away one more, before it has tripped', async () => {
    await using world = await World.open();
    const all = await members(world, 2);
    const [a, b] = all as [Member, Member];
    const first = a.barrier.enter();
    await world.settle();
    world.latency(b.client, { requestMs: 50 });
    const second = b.barrier.enter();
    await world.advance(60); // it has come, and says that the round is complete
    const third = watched(world, outcome(a.barrier.enter()));
    await world.settle();
    expect(third.isIn).toBe(true);
    expect(await third.promise).toMatchObject({ code: 'CONFLICT' });
    const passes = await world.run(Promise.all([first, second]));
    world.latency(b.client, {});
    await world.run(Promise.all(passes.map((pass) => pass.leave())));
    await expectClean(world, all);
  });

  it('cannot be joined, and an attempt does it no harm', async () => {
    await using world = await World.open();
    const all = await inside(world, 2);
    const [a, b] = all as [(typeof all)[0], (typeof all)[0]];
    const tries = [a, b, a].map(({ barrier }) => outcome(barrier.enter()));
    for (const each of tries) expect(await world.run(each)).toMatchObject({ code: 'CONFLICT' });
    await world.run(Promise.all([a.pass.leave(), b.pass.leave()]));
    await expectClean(world, all);
  });
});
