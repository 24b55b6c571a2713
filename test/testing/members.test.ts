import { expect, it } from 'vitest';
import { get, put } from '../../src/index.js';
import { World } from '../../src/testing/index.js';

it('a member that lags behind shows serializable reads the past, and answers late', async () => {
  await using world = await World.open({ members: 1 });
  world.allowKeys('app');
  const client = await world.client();
  await client.store.put('app', 'old');
  await world.advance(1_000);
  await client.store.put('app', 'new');
  world.lagMember('member-1', 400);
  const [old] = (await client.store.do(get('app', { serializable: true }))).kvs;
  expect(Buffer.from(old?.value ?? []).toString()).toBe('old');
  const began = world.now();
  const { kvs } = await world.run(client.store.get('app'));
  expect(Buffer.from(kvs[0]?.value ?? []).toString()).toBe('new');
  expect(world.now() - began).toBe(400);
});

it('a member that reads stale shows every read the past', async () => {
  await using world = await World.open({ members: 1 });
  const client = await world.client();
  await client.store.put('app', 'old');
  await world.advance(1_000);
  const { header } = await client.store.put('app', 'new');
  world.lagMember('member-1', 400, { readsStale: true });
  const read = await client.store.get('app');
  expect(Buffer.from(read.kvs[0]?.value ?? []).toString()).toBe('old');
  expect(read.header.revision).toBe(header.revision - 1n);
  world.lagMember('member-1', 0);
  expect((await client.store.get('app')).header.revision).toBe(header.revision);
});

it('the watches of a member that lags behind are late, also those of clients that come later', async () => {
  await using world = await World.open({ members: 1 });
  world.lagMember('member-1', 300);
  const client = await world.client();
  const seen: number[] = [];
  const ended = (async () => {
    for await (const notice of client.store.watch('app')) {
      if (notice.kind !== 'events') continue;
      seen.push(world.now());
      return;
    }
  })();
  await world.advance(1_000);
  world.engine.execute('put', put('app', ''));
  const at = world.now();
  await world.run(ended);
  expect(seen).toEqual([at + 300]);
});

it.each([
  ['a lease has ended', (world: World) => void world.engine.expireLease(1n)],
  ['the test itself wrote', (world: World) => void world.engine.execute('put', put('app', 'new'))],
])('a member that lags behind catches up within its lag, also with what %s', async (_, happen) => {
  await using world = await World.open({ members: 1 });
  world.allowKeys('app');
  const client = await world.client();
  world.engine.execute('leaseGrant', { id: 1n, ttlSeconds: 60 });
  await client.store.put('app', 'old');
  world.engine.execute('put', put('other', '', { lease: 1n }));
  world.lagMember('member-1', 10, { readsStale: true });
  await world.advance(1_000);
  happen(world);
  const { revision } = world;
  expect((await client.store.get('app')).header.revision).toBe(revision - 1n);
  await world.advance(10);
  expect((await client.store.get('app')).header.revision).toBe(revision);
  world.engine.expireLease(1n);
});

it('refuses members that there are not, and times that never come', async () => {
  await using world = await World.open();
  const client = await world.client();
  expect(() => world.lagMember('nope', 5)).toThrow(TypeError);
  expect(() => world.lagMember('member-1', -1)).toThrow(RangeError);
  expect(() => world.lagMember('member-1', NaN)).toThrow(RangeError);
  expect(() => world.latency(client, { requestMs: NaN })).toThrow(RangeError);
  expect(() => world.latency(client, { replyMs: [5, 1] })).toThrow(RangeError);
  expect(() => world.lagWatches(client, -1)).toThrow(RangeError);
  expect(() => world.jumpWall(client, Infinity)).toThrow(RangeError);
  expect(() => world.delayReply(client, { ms: NaN })).toThrow(RangeError);
  await expect(world.run(Promise.resolve(), { limitMs: NaN })).rejects.toThrow(RangeError);
  world.mend(); // nothing of it was kept
});
