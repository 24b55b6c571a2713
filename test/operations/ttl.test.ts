import { expect, it } from 'vitest';
import type { Conclave, Hold } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { documentedTable } from './document.js';

const lock = 'm';

/** A cell like `2.3 s`, in milliseconds. */
function toMs(cell = ''): number {
  return Number(/^([\d.]+) s$/.exec(cell)?.[1]) * 1_000;
}

/** When its session was last renewed: the time of the latest renewal it has sent. */
function lastRenewal(world: World, client: Conclave): number {
  return Math.max(
    ...world
      .calls(client)
      .filter(({ method }) => method === 'keepAlive')
      .map(({ at }) => at),
  );
}

/** Holds the lock, with a session that has been renewed just now. */
async function justRenewed(world: World, client: Conclave): Promise<Hold> {
  const hold = await client.mutex(lock).acquire();
  const before = world.now();
  while (!(lastRenewal(world, client) > before)) await world.advance(100);
  return hold;
}

/** When the hold is told of its loss, counted from the last renewal, if nothing gets through any more. */
async function toldAfter(sessionTtlMs: number): Promise<number> {
  await using world = await World.open();
  const client = await world.client({ sessionTtlMs });
  const hold = await justRenewed(world, client);
  const renewedAt = lastRenewal(world, client);
  let lostAt: number | undefined;
  hold.signal.addEventListener('abort', () => (lostAt = world.now()));
  world.partition(client);
  await world.advance(2 * sessionTtlMs);
  return (lostAt ?? NaN) - renewedAt;
}

/** Whether it still holds after a pause that begins just before a renewal was due. */
async function survives(sessionTtlMs: number, pauseMs: number): Promise<boolean> {
  await using world = await World.open();
  const client = await world.client({ sessionTtlMs });
  const hold = await justRenewed(world, client);
  await world.advance(lastRenewal(world, client) + sessionTtlMs / 3 - world.now() - 5);
  world.pause(client);
  await world.advance(pauseMs);
  world.resume(client);
  await world.advance(100);
  const isHeld = hold.isHeld();
  await world.advance(sessionTtlMs);
  expect(hold.isHeld()).toBe(isHeld);
  return isHeld;
}

/** How long after a crash the next one has it. */
async function replacedAfter(sessionTtlMs: number, meanwhile?: (world: World) => void): Promise<number> {
  await using world = await World.open();
  const client = await world.client({ sessionTtlMs });
  await justRenewed(world, client);
  const next = (await world.client()).mutex(lock).acquire();
  world.crash(client);
  const crashedAt = world.now();
  await world.advance(sessionTtlMs / 2);
  meanwhile?.(world);
  await (await world.run(next, { limitMs: 10 * sessionTtlMs })).release();
  return world.now() - crashedAt;
}

it('a hold is told of its loss, survives pauses, and is replaced as the table of docs/operations.md says', async () => {
  const rows = documentedTable('TTL');
  expect(rows.length).toBeGreaterThan(3);
  for (const row of rows) {
    const [ttl, margin, told, pause, replaced] = row.map(toMs) as [number, number, number, number, number];
    expect(margin).toBe(Math.max(ttl / 5, 500));
    expect(told).toBe(ttl - margin);
    expect(Math.abs((await toldAfter(ttl)) - told)).toBeLessThan(10);
    expect([await survives(ttl, pause - 20), await survives(ttl, pause + 100)]).toEqual([true, false]);
    const took = await replacedAfter(ttl);
    expect(took).toBeLessThanOrEqual(replaced);
    expect(took).toBeGreaterThan(ttl - 500);
  }
});

it("a change of etcd's leader makes the takeover from a crashed process wait for another TTL", async () => {
  const ttl = 10_000;
  const took = await replacedAfter(ttl, (world) => world.leaderChange());
  expect(took).toBeGreaterThan(ttl * 1.4);
  expect(took).toBeLessThanOrEqual(ttl * 2.5);
});

it('a process that was frozen for a minute has lost what it held, and takes it anew', async () => {
  await using world = await World.open();
  const client = await world.client();
  const hold = await client.mutex(lock).acquire();
  world.suspend(client);
  await world.advance(60_000);
  world.resume(client);

  expect(hold.isHeld()).toBe(false);
  expect(await outcome(hold.release())).toMatchObject({ code: 'HOLD_LOST' });
  const again = await world.run(client.mutex(lock).acquire());
  expect(again.fencingToken).toBeGreaterThan(hold.fencingToken);
  await again.release();
});
