import { expect, it } from 'vitest';
import type { Conclave, Hold } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { figure } from '../rig/figure.js';
import { moves, type Plan, ShardJudge, spread } from './shard-judge.js';

/** In virtual time, for minutes of it: too long for the unit tests. */
const members = Number(process.env['CONCLAVE_SCALE_MEMBERS'] ?? 200);
const shards = Number(process.env['CONCLAVE_SCALE_SHARDS'] ?? 10_000);
/** Within which everything is owned again: the lease and the store's scan for it, or a plan and the asking. */
const lossMs = 17_000;
const comingMs = 1_000;

it(
  `${shards} shards among ${members} members are owned soon after each change, by one at a time, and no more than a share moves`,
  { timeout: 180_000 },
  async () => {
    const began = performance.now();
    await using world = await World.open();
    world.allowKeys('conclave/shards/g');
    const judge = new ShardJudge(world);
    const plan = (): Plan => judge.plans.at(-1) ?? [];
    const stop = new AbortController();
    let owned = 0;
    const work = (shard: number, hold: Hold): Promise<void> =>
      judge.during(shard, hold.fencingToken, async () => {
        owned++;
        await new Promise<void>((resolve) => hold.signal.addEventListener('abort', () => resolve()));
        owned--;
      });
    const run = (client: Conclave): Promise<void> =>
      client.group('g').shards(shards).run(work, { signal: stop.signal });
    const clients = await Promise.all(Array.from({ length: members }, () => world.client()));
    const running = new Map(clients.map((client) => [client, run(client)]));

    const expectAll = (count: number): void => {
      expect(judge.owned).toBe(shards);
      const ids = [...new Set(plan())].filter((id) => id !== undefined);
      expect(ids).toHaveLength(count);
      expect(spread(plan(), ids)).toBeLessThanOrEqual(1);
    };
    await world.advance(comingMs);
    expect(owned).toBe(shards);
    expectAll(members);

    let most = 0;
    const change = async (ms: number, now: number): Promise<void> => {
      const { length } = judge.plans;
      const before = plan();
      await world.advance(ms);
      expectAll(now);
      expect(judge.plans).toHaveLength(length + 1);
      const share = Math.ceil(shards / Math.min(members, now));
      expect(moves(before, plan())).toBeLessThanOrEqual(share + 1);
      most = Math.max(most, moves(before, plan()));
    };
    // The planner, and one of those that follow.
    for (const crashed of [0, 7]) {
      const client = clients[crashed]!;
      world.crash(client);
      running.delete(client);
      await change(lossMs, members - (crashed === 0 ? 1 : 2));
    }
    const comer = await world.client();
    running.set(comer, run(comer));
    await change(comingMs, members - 1);

    stop.abort();
    await world.run(Promise.all(running.values()));
    expect(judge.wrong).toEqual([]);
    figure('most shards that moved at one change', String(most));
    figure(`${shards} shards among ${members} members in virtual time`, performance.now() - began);
  },
);
