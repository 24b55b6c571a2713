import { describe, expect, it } from 'vitest';
import type { Conclave, Ids } from '../../src/index.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { fates } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';

const key = 'conclave/ids/i';
const isGrant = ({ then }: RequestTo<'txn'>): boolean =>
  then.some((op) => op.kind === 'put' && Buffer.from(op.key).toString() === key);

async function stage(world: World): Promise<Conclave> {
  world.allowKeys(key);
  return world.client();
}

const upTo = (count: number, from = 1): bigint[] => Array.from({ length: count }, (_, i) => BigInt(i + from));

async function stored(world: World): Promise<string | undefined> {
  const [kv] = (await world.store.get(key)).kvs;
  return kv && Buffer.from(kv.value).toString();
}

function grants(world: World, client: Conclave): number {
  return world.calls(client).filter(({ method, request }) => method === 'txn' && isGrant(request)).length;
}

async function take(ids: Ids, count: number): Promise<bigint[]> {
  const taken: bigint[] = [];
  for (let i = 0; i < count; i++) taken.push(await ids.next());
  return taken;
}

describe('ids', () => {
  it('are 1 and up, each given once, in the order of the calls', async () => {
    await using world = await World.open();
    const ids = (await stage(world)).ids('i', { block: 10 });
    const mixed = [ids.next(), ids.nextMany(25), ids.next()];
    expect((await Promise.all(mixed)).flat()).toEqual(upTo(27));
    expect(await take(ids, 30)).toEqual(upTo(30, 28));
  });

  it('take one transaction per block, and the next block is there before it is needed', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const ids = client.ids('i', { block: 10 });
    await take(ids, 5);
    await world.settle();
    expect([grants(world, client), await stored(world)]).toEqual([2, '21']);
    world.partition(client);
    expect(await take(ids, 15)).toEqual(upTo(15, 6));
  });

  it('of several processes are all different, and those of each grow', async () => {
    await using world = await World.open();
    const clients = [await stage(world), await stage(world), await stage(world)];
    const takes = clients.map((client) => take(client.ids('i', { block: 7 }), 50));
    const taken = await world.run(Promise.all(takes));
    expect(new Set(taken.flat()).size).toBe(150);
    for (const each of taken) expect(each).toEqual([...each].sort((a, b) => Number(a - b)));
  });

  it.each(fates)('are all different, though a block is reserved by a request %s', async (_, strike) => {
    await using world = await World.open();
    const [one, other] = [await stage(world), await stage(world)];
    const ids = one.ids('i', { block: 3 });
    const fault = strike(world, one, { method: 'txn', where: isGrant });
    const first = (await world.run(outcome(ids.next()))) as bigint | Error; // who hears nothing for long is told so
    const second = await world.run(take(other.ids('i', { block: 3 }), 4));
    await world.advance(60_000);
    const third = await world.run(Promise.all([take(ids, 4), take(other.ids('i', { block: 3 }), 4)]));
    const all = [first, ...second, ...third.flat()];
    expect([fault.hasFired, new Set(all).size]).toEqual([true, all.length]);
  });

  it('that a crashed process had in reserve are never given to another', async () => {
    await using world = await World.open();
    const [one, other] = [await stage(world), await stage(world)];
    expect(await take(one.ids('i', { block: 10 }), 2)).toEqual([1n, 2n]);
    world.crash(one);
    expect(await take(other.ids('i', { block: 10 }), 2)).toEqual([11n, 12n]);
  });

  it('that could not be reserved ahead of time are asked for again, and nobody hears of it', async () => {
    await using world = await World.open();
    const client = await stage(world);
    const ids = client.ids('i', { block: 4 });
    await take(ids, 1);
    world.partition(client, { refuses: true });
    expect(await take(ids, 3)).toEqual(upTo(3, 2));
    await world.advance(10_000);
    expect(await world.run(outcome(ids.next()))).toMatchObject({ code: 'UNAVAILABLE' });
    world.heal(client);
    expect(await world.run(ids.next())).toBe(5n);
  });

  it('end with the numbers of 64 bits', async () => {
    await using world = await World.open();
    const client = await stage(world);
    await world.store.put(key, String(2n ** 63n - 4n));
    expect(await outcome(client.ids('i').next())).toMatchObject({ code: 'CONFLICT' });
    expect(await client.ids('i', { block: 3 }).nextMany(3)).toEqual([
      2n ** 63n - 4n,
      2n ** 63n - 3n,
      2n ** 63n - 2n,
    ]);
  });

  it('are not made from what is no number', async () => {
    await using world = await World.open();
    const client = await stage(world);
    await world.store.put(key, '{"v":2}');
    expect(await outcome(client.ids('i').next())).toMatchObject({ code: 'CONFLICT' });
    expect(await stored(world)).toBe('{"v":2}');
  });

  it.each([0, 1.5, 1_000_001, '5'])('of a block of %j are refused', async (block) => {
    await using world = await World.open();
    const client = await stage(world);
    expect(() => client.ids('i', { block: block as number })).toThrow();
    await expect(client.ids('i').nextMany(block as number)).rejects.toThrow('count must be');
  });
});
