import { expect, it } from 'vitest';
import { connect } from '../../src/index.js';
import { World } from '../../src/testing/index.js';

it('of a Conclave without a session: connected, to which member, and no session', async () => {
  await using world = await World.open();
  const client = await world.client();
  expect(await client.health()).toEqual({
    connected: true,
    endpoint: expect.stringMatching(/^member-\d$/) as string,
    sessionRemainingMs: undefined,
    lagMs: 0,
  });
  expect(world.calls(client)).toMatchObject([{ method: 'get' }]);
});

it('tells how long its session can go without a renewal, and nothing once it is lost', async () => {
  await using world = await World.open();
  const client = await world.client({ sessionTtlMs: 10_000 });
  await client.mutex('m').acquire();
  expect((await client.health()).sessionRemainingMs).toBe(8_000);
  await world.advance(1_000);
  expect((await client.health()).sessionRemainingMs).toBe(7_000);
  await world.expireSession(client);
  expect((await client.health()).sessionRemainingMs).toBeUndefined();
});

it('of a bound session: that session', async () => {
  await using world = await World.open();
  const client = await world.client();
  const bound = await client.withSession({ ttlMs: 5_000 });
  expect((await bound.health()).sessionRemainingMs).toBe(4_000);
  expect((await client.health()).sessionRemainingMs).toBeUndefined();
});

it('names the member that has answered in the place of one that is silent', async () => {
  await using world = await World.open();
  const client = await world.client();
  const { endpoint } = await client.health();
  world.silence(endpoint);
  const { connected, endpoint: other } = await world.run(client.health());
  expect(connected).toBe(true);
  expect(other).not.toBe(endpoint);
});

it.each([
  [{}, 2_000],
  [{ timeoutMs: 700 }, 700],
])('without the store: not connected, within its time (%j)', async (options, limitMs) => {
  await using world = await World.open({ members: 1 });
  const client = await world.client({ dialTimeoutMs: 2_000 });
  world.partition(client);
  const before = world.now();
  expect(await world.run(client.health(options))).toMatchObject({ connected: false, endpoint: 'member-1' });
  expect(world.now() - before).toBe(limitMs);
});

it('tells how long this process did not run meanwhile', async () => {
  await using world = await World.open();
  const client = await world.client();
  world.delayReply(client, { method: 'get', ms: 30 });
  const asked = client.health();
  await world.advance(5);
  world.pause(client);
  await world.advance(400);
  world.resume(client);
  await world.advance(100);
  expect((await asked).lagMs).toBe(395); // a timer was due 5 ms later
});

it('tells the same of a process that computes', async () => {
  await using conclave = await connect('memory:');
  const asked = conclave.health();
  const until = performance.now() + 100;
  while (performance.now() < until);
  expect((await asked).lagMs).toBeGreaterThan(80);
});

it('after close sends nothing, and is not connected', async () => {
  await using world = await World.open();
  const client = await world.client();
  await client.mutex('m').acquire();
  await client.close();
  const before = world.calls(client).length;
  expect(await client.health()).toEqual({
    connected: false,
    endpoint: expect.stringMatching(/^member-\d$/) as string,
    sessionRemainingMs: undefined,
    lagMs: 0,
  });
  expect(world.calls(client).length).toBe(before);
});

it('of a bound session that was closed sends nothing, although others use the store', async () => {
  await using world = await World.open();
  const client = await world.client();
  const bound = await client.withSession();
  await bound.close();
  const before = world.calls(client).length;
  expect(await bound.health()).toMatchObject({ connected: false, sessionRemainingMs: undefined });
  expect(world.calls(client).length).toBe(before);
  expect((await client.health()).connected).toBe(true);
});

it('does not reject when it is closed meanwhile, and leaves no timer', async () => {
  await using world = await World.open();
  const client = await world.client();
  world.partition(client);
  const asked = client.health();
  await world.advance(100);
  await world.run(client.close());
  expect(await asked).toMatchObject({ connected: false });
});
