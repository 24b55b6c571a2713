import { expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';

const sessionTtlMs = 3_000;

it('a hold is in doubt from the news of a new leader until its lease is renewed under it', async () => {
  await using world = await World.open();
  const holder = await world.client({ sessionTtlMs });
  const hold = await holder.mutex('m').acquire();
  await world.advance(100);
  world.leaderChange();
  world.staleTerms(holder);
  await world.advance(1_000); // renewed by the leader before, who knows nothing of the new one; so far nobody does
  await holder.store.get('anything');
  expect(hold.isHeld()).toBe(false);
  expect(hold.signal.aborted).toBe(false);
  await world.advance(300);
  expect(hold.isHeld()).toBe(false);
  world.heal(holder);
  await world.advance(500);
  expect(hold.isHeld()).toBe(true);
});

it('a change of the leader costs a holder no more than one renewal', async () => {
  await using world = await World.open();
  const holder = await world.client({ sessionTtlMs });
  const hold = await holder.mutex('m').acquire();
  await world.advance(100);
  world.latency(holder, { requestMs: 5, replyMs: 5 });
  world.leaderChange();
  const began = world.now();
  await world.run(holder.store.get('anything'));
  expect(hold.isHeld()).toBe(false);
  while (!hold.isHeld()) await world.advance(1);
  expect(world.now() - began).toBeLessThanOrEqual(25);
  expect(hold.signal.aborted).toBe(false);
});

it('nothing is granted while it is in doubt whether the lease was renewed', async () => {
  await using world = await World.open();
  const client = await world.client({ sessionTtlMs });
  await (await client.mutex('m').acquire()).release();
  world.leaderChange();
  world.staleTerms(client);
  await client.store.get('anything');
  const taking = client.mutex('m').acquire();
  let granted = false;
  void taking.then(() => (granted = true));
  await world.advance(500);
  expect(granted).toBe(false);
  world.heal(client);
  expect((await world.run(taking)).isHeld()).toBe(true);
});

it('a writer is not a reader yet while it is in doubt whether the lease was renewed', async () => {
  await using world = await World.open();
  const client = await world.client({ sessionTtlMs });
  const writer = await client.rwLock('rw').write.acquire();
  world.leaderChange();
  world.staleTerms(client);
  const becoming = writer.downgrade();
  let done = false;
  void becoming.then(() => (done = true));
  await world.advance(500);
  expect((await client.rwLock('rw').inspect()).holders).toMatchObject([{ mode: 'read' }]);
  expect(done).toBe(false);
  world.heal(client);
  expect((await world.run(becoming)).isHeld()).toBe(true);
});
