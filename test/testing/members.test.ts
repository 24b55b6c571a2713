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
