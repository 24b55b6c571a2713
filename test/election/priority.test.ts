import { describe, expect, it } from 'vitest';
import { type Conclave, type Leadership, put } from '../../src/index.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { lineUp, outcome } from './fixture.js';

/** A candidate that goes to the end of the line: its old ticket out, a new one in. */
function isRequeue({ then }: RequestTo<'txn'>): boolean {
  return then.some(({ kind }) => kind === 'remove') && then.some(({ kind }) => kind === 'put');
}

const requeue = { method: 'txn', where: isRequeue } as const;

/** A leader, and candidates that stand in this order with these priorities. */
async function standing(
  world: World,
  ...priorities: readonly (number | undefined)[]
): Promise<{ clients: readonly Conclave[]; leadership: Leadership; waiting: readonly Promise<unknown>[] }> {
  const leader = await world.client({ sessionTtlMs: 60_000 });
  const leadership = await leader.election('e').campaign('leader');
  const clients: Conclave[] = [];
  const waiting: Promise<unknown>[] = [];
  for (const priority of priorities) {
    const client = await world.client({ sessionTtlMs: 60_000 });
    clients.push(client);
    const options = priority === undefined ? {} : { priority };
    // Whoever leads resigns at once: the order in which they lead is what counts.
    waiting.push(outcome(client.election('e').campaign(`p${priority}`, options)));
    await world.settle();
  }
  return { clients: [leader, ...clients], leadership, waiting };
}

async function lineOf(world: World): Promise<readonly string[]> {
  return lineUp((await world.client()).election('e'));
}

describe('priority', () => {
  it('overtakes lower ones that wait, and never the leader', async () => {
    await using world = await World.open();
    const { leadership, waiting } = await standing(world, undefined, 0, -1, 5);

    expect((await lineOf(world)).slice(0, 2)).toEqual(['leader', 'p5']);
    expect(leadership.isHeld()).toBe(true);
    await leadership.resign();
    expect(await waiting[3]).toMatchObject({ value: 'p5' });
  });

  it('puts candidates in the order of their priorities, whichever order they came in', async () => {
    await using world = await World.open();
    const { leadership } = await standing(world, 3, 1, 4, 1.5, 9, 2, 6);

    expect(await lineOf(world)).toEqual(['leader', 'p9', 'p6', 'p4', 'p3', 'p2', 'p1.5', 'p1']);
    await leadership.resign();
  });

  it('of the same height overtakes nobody: no ticket is written anew', async () => {
    await using world = await World.open();
    const { clients } = await standing(world, 5, 5, 5);

    expect(await lineOf(world)).toEqual(['leader', 'p5', 'p5', 'p5']);
    const candidates = await (await world.client()).election('e').candidates();
    const tokens = candidates.map(({ fencingToken }) => fencingToken);
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
    for (const client of clients) {
      const txns = world.calls(client).filter(({ method }) => method === 'txn');
      expect(txns).toHaveLength(2); // the session's key, and the ticket
    }
  });

  it('costs one write for each that gives way, and then there is quiet', async () => {
    await using world = await World.open();
    await standing(world, 0, 0, 0, 0, 0);
    const before = world.revision;
    const high = await world.client({ sessionTtlMs: 60_000 });
    const waiting = outcome(high.election('e').campaign('high', { priority: 1 }));
    await world.settle();
    const after = world.revision;
    expect(after - before).toBe(7n); // its session, its ticket, and five that go behind it

    await world.advance(300_000);

    expect(world.revision).toBe(after);
    expect((await lineOf(world)).slice(0, 2)).toEqual(['leader', 'high']);
    await Promise.all([high.close(), waiting]);
  });

  it('is quiet also after many have come in the worst order', async () => {
    await using world = await World.open();
    const priorities = Array.from({ length: 12 }, (_, i) => i);
    const before = world.revision;
    await standing(world, ...priorities);
    // At most one for each pair, besides the sessions and the tickets.
    expect(Number(world.revision - before)).toBeLessThanOrEqual(2 * 13 + (12 * 11) / 2);
    const after = world.revision;

    await world.advance(300_000);

    expect(world.revision).toBe(after);
    expect(await lineOf(world)).toEqual(['leader', ...priorities.reverse().map((p) => `p${p}`)]);
  });

  it('makes no leader give way, also one that leads before it has noticed', async () => {
    await using world = await World.open();
    const { clients, leadership, waiting } = await standing(world, 0);
    const [, low] = clients;
    world.lagWatches(low as Conclave, 2_000);
    await leadership.resign();
    const high = await world.client();
    const next = outcome(high.election('e').campaign('high', { priority: 1 }));
    await world.advance(5_000);

    expect(await waiting[0]).toMatchObject({ value: 'p0' });
    expect(await lineOf(world)).toEqual(['p0', 'high']);
    await Promise.all([high.close(), next]);
  });

  it('is kept by a candidate that gives way, and by one that leads', async () => {
    await using world = await World.open();
    const { clients } = await standing(world, 1, 2);
    const candidates = await clients[0]?.election('e').candidates();
    expect(candidates?.map(({ value, priority }) => [value, priority])).toEqual([
      ['leader', undefined],
      ['p2', 2],
      ['p1', 1],
    ]);
  });

  it.each([
    ['of another program', 'not ours'],
    ['of a newer version', '{"v":2,"priority":9}'],
    ['that makes no sense', '{"v":1,"priority":"9"}'],
  ])('of a ticket %s is no reason to give way, and ends no campaign', async (_, text) => {
    await using world = await World.open();
    world.allowKeys('conclave/election/e/zz');
    const { leadership, waiting } = await standing(world, 0);
    world.engine.execute('put', put('conclave/election/e/zz', text));
    await world.advance(1_000);
    const before = world.revision;

    await leadership.resign();

    expect(await waiting[0]).toMatchObject({ value: 'p0' });
    expect(world.revision).toBe(before + 1n);
  });

  it('is nothing on a path, where a value may look like anything', async () => {
    await using world = await World.open();
    const place = { path: 'go/e' };
    const [one, two, three] = [await world.client(), await world.client(), await world.client()];
    const leadership = await one.election(place).campaign('a');
    const second = two.election(place).campaign('b');
    await world.settle();
    const third = three.election(place).campaign('{"v":1,"priority":9}');
    await world.settle();

    expect(await lineUp(one.election(place))).toEqual(['a', 'b', '{"v":1,"priority":9}']);
    await leadership.resign();
    await (await second).resign();
    await (await third).resign();
  });

  it.each([
    ['another program', 'not ours'],
    ['a newer version', '{"v":2,"transferTo":"x"}'],
  ])('waits behind a ticket of %s like everybody else', async (_, text) => {
    await using world = await World.open();
    const client = await world.client();
    world.engine.execute('put', put('conclave/election/e/0', text));
    const waiting = client.election('e').campaign('a', { priority: 9 });
    await world.advance(60_000);
    expect((await client.election('e').leader())?.value).toBe(text);

    await world.store.remove('conclave/election/e/0');

    await (await waiting).resign();
  });
});

describe('a candidate that gives way', () => {
  it('and whose answer was lost stands once, behind the other', async () => {
    await using world = await World.open();
    const { clients, leadership, waiting } = await standing(world, 0);
    const low = clients[1] as Conclave;
    const fault = world.dropReply(low, requeue);
    const high = await world.client({ sessionTtlMs: 60_000 });
    const next = high.election('e').campaign('high', { priority: 1 });
    await world.advance(2_000);

    expect(fault.hasFired).toBe(true);
    expect(await lineOf(world)).toEqual(['leader', 'high', 'p0']);
    await leadership.resign();
    await (await next).resign();
    expect(await waiting[0]).toMatchObject({ value: 'p0' });
  });

  it('and whose request lands late, too, stands once', async () => {
    await using world = await World.open();
    const { clients, leadership, waiting } = await standing(world, 0);
    const low = clients[1] as Conclave;
    const fault = world.delayRequest(low, { ...requeue, ms: 20_000 });
    const high = await world.client({ sessionTtlMs: 60_000 });
    const next = high.election('e').campaign('high', { priority: 1 });
    await world.advance(2_000);
    await leadership.resign();
    await (await next).resign();
    const crowned = (await waiting[0]) as Leadership;
    await crowned.resign();

    await world.advance(30_000);

    expect(fault.hasFired).toBe(true);
    expect(await lineOf(world)).toEqual([]);
  });

  it('and is cancelled on the way leaves nothing', async () => {
    await using world = await World.open();
    const [leader, low, high] = [await world.client(), await world.client(), await world.client()];
    await using leadership = await leader.election('e').campaign('leader');
    const stop = new AbortController();
    const waiting = outcome(low.election('e').campaign('low', { signal: stop.signal }));
    await world.settle();
    world.delayReply(low, { ...requeue, ms: 1_000 });
    const stopHigh = new AbortController();
    const next = outcome(high.election('e').campaign('high', { priority: 1, signal: stopHigh.signal }));
    await world.settle();

    stop.abort('enough');
    expect(await waiting).toBe('enough');
    await world.advance(5_000);

    expect(await lineOf(world)).toEqual([leadership.value, 'high']);
    stopHigh.abort('enough');
    await next;
  });

  it('and finds that the store has no space for a new ticket rejects, and leaves nothing', async () => {
    await using world = await World.open();
    const { clients, leadership, waiting } = await standing(world, 0);
    world.lagWatches(clients[1] as Conclave, 100);
    const high = await world.client({ sessionTtlMs: 60_000 });
    const next = high.election('e').campaign('high', { priority: 1 });
    await world.advance(50);
    world.engine.noSpace = true;
    await world.advance(2_000);

    expect(await waiting[0]).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    world.engine.noSpace = false;
    await world.advance(10_000);
    expect(await lineOf(world)).toEqual(['leader', 'high']);
    await leadership.resign();
    await (await next).resign();
  });

  it('and whose session was lost rejects, and is not crowned', async () => {
    await using world = await World.open();
    const { clients, leadership, waiting } = await standing(world, 0);
    const low = clients[1] as Conclave;
    world.lagWatches(low, 3_000);
    const high = await world.client();
    const next = high.election('e').campaign('high', { priority: 1 });
    await world.advance(1);
    world.stalledLeaderRevokes(low);
    await world.advance(5_000);

    expect(await waiting[0]).toMatchObject({ code: 'SESSION_LOST' });
    expect(await lineOf(world)).toEqual(['leader', 'high']);
    await leadership.resign();
    await (await next).resign();
  });
});
