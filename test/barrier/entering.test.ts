import { describe, expect, it } from 'vitest';
import type { Conclave, WaitOptions } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { fates, opened, watched } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';
import { cyclicAt, isEntry, isProposal, isWithdrawal, keysBelow } from './parties.js';

const ttlMs = 60_000;

/** Clients with a session each, and the barrier of so many parties as each of them sees it. */
async function meeting(world: World, parties: number, count: number = parties) {
  const clients: Conclave[] = [];
  for (let i = 0; i < count; i++) clients.push(await opened(world, ttlMs));
  return clients.map((client) => ({
    client,
    barrier: client.cyclicBarrier('b', { parties }),
    wait: (options: WaitOptions = {}) => outcome(client.cyclicBarrier('b', { parties }).wait(options)),
  }));
}

type Member = Awaited<ReturnType<typeof meeting>>[number];
type Members<N extends number> = N extends 2 ? [Member, Member] : [Member, Member, Member];

async function two(world: World, parties = 2): Promise<Members<2>> {
  return (await meeting(world, parties, 2)) as Members<2>;
}

async function three(world: World, parties = 3): Promise<Members<3>> {
  return (await meeting(world, parties, 3)) as Members<3>;
}

/** The barrier works, and nothing is left of anything. */
async function expectClean(world: World, members: readonly Member[]): Promise<void> {
  const trips = await world.run(Promise.all(members.map(({ barrier }) => barrier.wait())));
  expect(trips.map(({ index }) => index).sort()).toEqual(members.map((_, i) => i));
  await world.advance(30_000);
  expect(await keysBelow(world, cyclicAt('b'))).toEqual([]);
}

describe.each(fates)('coming to a barrier, by a request %s', (_, strike) => {
  it('counts once, and the round trips', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const fault = strike(world, a.client, { method: 'txn', where: isEntry });

    const trips = await world.run(Promise.all([a.wait(), b.wait()]));

    expect(fault.hasFired).toBe(true);
    expect(trips).toEqual([
      expect.objectContaining({ round: expect.anything() as unknown }),
      expect.anything(),
    ]);
    await world.advance(30_000);
    await expectClean(world, [a, b]);
  });

  it('and given up, it counts never', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const stop = new AbortController();
    world.latency(a.client, { requestMs: 5, replyMs: 5 });
    strike(world, a.client, { method: 'txn', where: isEntry });
    const given = outcome(a.barrier.wait({ signal: stop.signal }));
    await world.advance(7);

    stop.abort('enough');

    expect(await world.run(given)).toBe('enough');
    await world.advance(40_000);
    const waiting = watched(world, b.barrier.wait());
    await world.settle();
    expect(waiting.isIn).toBe(false);
    await world.run(a.wait());
    await world.run(waiting.promise);
    await expectClean(world, [a, b]);
  });
});

describe.each(fates)('a proposal %s', (_, strike) => {
  it('trips the round once, and no later one', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const first = a.wait();
    await world.settle();
    const fault = strike(world, b.client, { method: 'txn', where: isProposal });

    const [mine, theirs] = (await world.run(Promise.all([first, b.wait()]))) as {
      round: bigint;
      index: number;
    }[];

    expect(fault.hasFired).toBe(true);
    expect(mine?.round).toBe(theirs?.round);
    expect([mine?.index, theirs?.index]).toEqual([0, 1]);
    await expectClean(world, [a, b]);
    await world.advance(30_000);
    expect(await keysBelow(world, cyclicAt('b'))).toEqual([]);
  });

  it('that the round is broken breaks this one, and no later one', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world);
    const waiting = [a.wait(), b.wait()];
    await world.settle();
    const fault = strike(world, a.client, { method: 'txn', where: isProposal });

    await world.expireSession(b.client);

    expect(await world.run(waiting[0]!)).toMatchObject({ code: 'BROKEN_BARRIER', party: 'client-2' });
    expect(await world.run(waiting[1]!)).toMatchObject({ code: 'SESSION_LOST' });
    expect(fault.hasFired).toBe(true);
    await expectClean(world, [a, b, c]);
  });
});

describe.each(fates)('a withdrawal %s', (_, strike) => {
  it('breaks nothing, and hits no later ticket', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world);
    const waiting = watched(world, b.barrier.wait());
    const stop = new AbortController();
    const given = outcome(a.barrier.wait({ signal: stop.signal }));
    await world.settle();
    const fault = strike(world, a.client, { method: 'txn', where: isWithdrawal });

    stop.abort('enough');

    expect(await world.run(given)).toBe('enough');
    expect(fault.hasFired).toBe(true);
    await world.advance(8_000);
    const again = [a.wait(), c.wait()];
    const trips = await world.run(Promise.all([waiting.promise, ...again]));
    expect(new Set((trips as { round: bigint }[]).map(({ round }) => round)).size).toBe(1);
    await world.advance(2_000);
    const next = b.wait();
    await world.advance(30_000);
    expect(await keysBelow(world, cyclicAt('b'))).toEqual([expect.stringMatching(/^in/)]);
    await world.run(Promise.all([next, a.wait(), c.wait()]));
    await expectClean(world, [a, b, c]);
  });
});

describe('a round', () => {
  it('is broken by a party that dies, for all, and the next one is clean', async () => {
    await using world = await World.open();
    world.allowKeys(cyclicAt('b'));
    const [a, b, c] = await three(world, 4);
    const waiting = [a.wait(), c.wait()];
    void b.wait();
    await world.settle();

    world.crash(b.client);
    await world.advance(ttlMs + 2_000);

    for (const each of waiting) {
      expect(await each).toMatchObject({
        code: 'BROKEN_BARRIER',
        party: 'client-2',
        key: expect.stringContaining(cyclicAt('b')) as unknown,
        message: expect.stringContaining('client-2') as unknown,
      });
    }
    const [d, e] = await two(world, 4);
    await expectClean(world, [a, c, d, e]);
  });

  it('trips although the last one dies before it could say so', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const first = a.wait();
    await world.settle();
    world.onProbe('barrier.propose', () => world.crash(b.client), { client: b.client });
    void b.wait();

    await world.advance(500); // longer than the others leave it to the last one

    expect(await first).toMatchObject({ index: 0 });
    await world.advance(ttlMs + 2_000);
    const [c] = await meeting(world, 2, 1);
    if (c) await expectClean(world, [a, c]);
  });

  it('that has tripped is so also for one who gives up meanwhile', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const stop = new AbortController();
    const first = outcome(a.barrier.wait({ signal: stop.signal }));
    await world.settle();
    world.lagWatches(a.client, 10_000);
    const second = b.wait();
    await world.settle();

    stop.abort('too late');

    const [mine, theirs] = await Promise.all([first, second]);
    expect(mine).toMatchObject({ index: 0, round: (theirs as { round: bigint }).round });
    world.lagWatches(a.client, 0);
    await expectClean(world, [a, b]);
  });

  it('does not trip if one gives up while the proposal is on its way', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world, 2);
    const stop = new AbortController();
    const first = outcome(a.barrier.wait({ signal: stop.signal }));
    await world.settle();
    world.latency(b.client, { requestMs: 20 });
    const second = watched(world, b.barrier.wait());
    await world.advance(30); // it has come, and says that the round is complete
    expect(await keysBelow(world, `${cyclicAt('b')}in/`)).toHaveLength(2);

    stop.abort('enough');

    expect(await first).toBe('enough');
    await world.advance(1_000);
    expect(second.isIn).toBe(false);
    await world.run(c.wait());
    expect(await world.run(second.promise)).toMatchObject({ index: 0 });
    await expectClean(world, [b, c]);
  });

  it('is not misled by a view that is older than an answer', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world);
    const stop = new AbortController();
    const given = [1, 2].map(() => outcome(a.barrier.wait({ signal: stop.signal })));
    await world.settle();
    world.latency(b.client, { requestMs: 20 });
    const second = watched(world, b.barrier.wait());
    await world.advance(30); // it has come, and says that the round is complete
    stop.abort('enough');
    await Promise.all(given);
    const third = watched(world, c.barrier.wait());
    await world.advance(3_000); // it was refused, and shown who is there

    await world.run(a.wait());
    await world.run(Promise.all([second.promise, third.promise]));
    world.latency(b.client, {});
    await expectClean(world, [a, b, c]);
  });

  it('goes on without one that came and died where nobody saw it', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world);
    const first = watched(world, a.barrier.wait());
    await world.settle();
    world.partition(a.client, { refuses: true });
    void b.wait();
    await world.settle();
    await world.expireSession(b.client);
    world.compactUnderWatches(a.client);
    world.heal(a.client);
    await world.advance(5_000);

    await world.run(Promise.all([b.wait(), c.wait()]));
    expect(await first.promise).toMatchObject({ index: 0 });
  });

  it.each([
    ['one has died', 1, 'BROKEN_BARRIER'],
    ['one has left', 0, undefined],
  ])(
    'of which a party has slept through everything is judged by what is left: %s',
    async (_, dying, code) => {
      await using world = await World.open();
      const [a, b, c] = await three(world, 4);
      const stop = new AbortController();
      const first = watched(world, outcome(a.barrier.wait()));
      const second = outcome(b.barrier.wait({ signal: stop.signal }));
      const third = c.wait();
      await world.settle();
      world.lagWatches(a.client, 100_000);
      world.compactUnderWatches(a.client);
      world.partition(a.client, { refuses: true });
      world.partition(c.client, { refuses: true }); // it sees nothing, either
      stop.abort('enough');
      await second;
      if (dying) await world.expireSession(b.client).catch(() => {});
      if (dying) await world.expireSession(c.client);
      world.compactUnderWatches(a.client);
      world.lagWatches(a.client, 0);
      world.heal(a.client);
      world.heal(c.client);
      await world.advance(5_000);

      expect(first.isIn).toBe(code !== undefined);
      if (code) expect(await first.promise).toMatchObject({ code, party: 'client-3' });
      await a.client.close();
      await first.promise;
      void third;
    },
  );

  it('is not held up by compactions, broken streams and watches that lag', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const first = a.wait();
    await world.settle();
    world.lagWatches(a.client, 2_000);
    world.partition(a.client, { refuses: true });
    const second = b.wait();
    await world.advance(100);
    world.compactUnderWatches(a.client);
    world.heal(a.client);
    await world.advance(5_000);

    expect(await first).toMatchObject({ index: 0 });
    expect(await second).toMatchObject({ index: 1 });
    world.lagWatches(a.client, 0);
    await expectClean(world, [a, b]);
  });

  it('in which several parties are of one process goes on without the one that gives up', async () => {
    await using world = await World.open();
    const [a, b] = await two(world, 3);
    const stop = new AbortController();
    const all = [a.wait(), outcome(a.barrier.wait({ signal: stop.signal }))];
    await world.settle();
    stop.abort('enough');
    expect(await all[1]).toBe('enough');
    const more = [a.wait(), b.wait()];
    const trips = (await world.run(Promise.all([all[0]!, ...more]))) as { index: number }[];
    expect(trips.map(({ index }) => index).sort()).toEqual([0, 1, 2]);
  });

  it('whose party closes its Conclave goes on waiting', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world, 2);
    const first = a.wait();
    await world.settle();
    await a.client.close();
    expect(await first).toMatchObject({ code: 'CLOSED' });
    expect(await keysBelow(world, cyclicAt('b'))).toEqual([]);
    await expectClean(world, [b, c]);
  });

  it('whose party closes its Conclave while its request is on its way goes on waiting', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world);
    const first = watched(world, c.barrier.wait());
    await world.settle();
    world.latency(a.client, { requestMs: 20, replyMs: 20 });
    const late = a.wait();
    await world.advance(5);
    const closing = a.client.close();
    await world.advance(1_000);
    expect(await late).toMatchObject({ code: 'CLOSED' });
    await closing;
    await world.run(Promise.all([b.wait(), b.wait()]));
    expect(await world.run(first.promise)).toMatchObject({ index: 0 });
  });

  it('rejects at once whose session is lost, and the others, naming it', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world);
    const [first, second] = [a.wait(), b.wait()];
    await world.settle();

    await world.expireSession(a.client);

    expect(await first).toMatchObject({ code: 'SESSION_LOST', reason: 'revoked' });
    expect(await second).toMatchObject({ code: 'BROKEN_BARRIER', party: 'client-1' });
    await expectClean(world, [a, b, c]);
  });

  it('is left by who gives up while the store is full; who comes then is refused', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const stop = new AbortController();
    const first = outcome(a.barrier.wait({ signal: stop.signal }));
    await world.settle();
    world.engine.noSpace = true;
    expect(await world.run(b.wait())).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    stop.abort('enough');
    expect(await first).toBe('enough');
    world.engine.noSpace = false;
    await world.advance(5_000);
    await expectClean(world, [a, b]);
  });

  it('rejects in the time of a request who gives up while the store is away, and counts it only if it must', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world, 2);
    const stop = new AbortController();
    const first = watched(world, outcome(a.barrier.wait({ signal: stop.signal })));
    await world.settle();
    world.partition(a.client);
    stop.abort('enough');
    await world.advance(4_000);
    expect(first.isIn).toBe(false);
    await world.advance(2_000);
    expect(await first.promise).toBe('enough');
    world.heal(a.client);
    await world.advance(10_000);
    await expectClean(world, [b, c]);
  });

  it('may keep that somebody had left when its last one dies; that is no leak, and the next round removes it', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const leaveAlone = async (): Promise<void> => {
      const [dying, leaving] = await two(world, 3);
      void dying.wait();
      await world.settle();
      await world.run(leaving.wait({ timeoutMs: 50 }));
      world.crash(dying.client);
      await world.advance(2 * ttlMs);
      expect(await keysBelow(world, cyclicAt('b'))).toEqual(['left']);
    };

    await leaveAlone();
    await expectClean(world, [a, b]);
    await leaveAlone();
  });

  it('leaves no more than a few keys however many rounds follow each other', async () => {
    await using world = await World.open();
    const members = await three(world);
    let most = 0;
    const loop = async ({ barrier }: Member, i: number): Promise<void> => {
      for (let round = 0; round < 40; round++) {
        await barrier.wait();
        if (i > 0) continue;
        const kept = (await keysBelow(world, cyclicAt('b'))).filter((key) => key.startsWith('out/'));
        most = Math.max(most, kept.length);
      }
    };
    for (const { client } of members) world.latency(client, { requestMs: [0, 9], replyMs: [0, 9] });
    await world.run(Promise.all(members.map(loop)));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(5);
    for (const { client } of members) world.latency(client, {});
    await world.advance(5_000);
    expect(await keysBelow(world, cyclicAt('b'))).toEqual([]);
  });

  it('refuses who finds a ticket of another program there', async () => {
    await using world = await World.open();
    const [a, b] = await two(world);
    const key = `${cyclicAt('b')}in/garbage`;
    await world.store.put(key, 'garbage');
    expect(await a.wait()).toMatchObject({ code: 'CONFLICT' });
    await world.store.remove(key);
    await expectClean(world, [a, b]);
  });

  it('whose ticket somebody removed rejects, and is broken for the others', async () => {
    await using world = await World.open();
    const [a, b, c] = await three(world);
    const [first, second] = [a.wait(), b.wait()];
    await world.settle();
    const [oldest] = await keysBelow(world, `${cyclicAt('b')}in/`);
    await world.store.remove(`${cyclicAt('b')}in/${oldest}`);
    const results = await world.run(Promise.all([first, second]));
    const codes = results.map((error) => (error as { code: string }).code).sort();
    expect(codes).toEqual(['BROKEN_BARRIER', 'CONFLICT']);
    await expectClean(world, [a, b, c]);
  });
});
