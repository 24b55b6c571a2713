import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { Worker } from './worker.js';

let world: World;

beforeEach(async () => {
  world = await World.open();
});

afterEach(() => world[Symbol.asyncDispose]());

const all = (...workers: Worker[]): number[] => workers.flatMap(({ owned }) => owned).sort((a, b) => a - b);
const eight = [0, 1, 2, 3, 4, 5, 6, 7];

describe('shards', () => {
  it('all fall to one who is alone, and to nobody when that one stops', async () => {
    const one = await Worker.start(world);
    await world.advance(1_000);
    expect(one.owned).toEqual(eight);
    expect(await one.stop()).toBeUndefined();
    expect(one.owned).toEqual([]);
    expect(one.told).toEqual(Array.from({ length: 8 }, () => 'enough'));
    const { shards } = await one.shards.inspect();
    expect(shards.every(({ owner }) => owner === undefined)).toBe(true);
    expect((await one.client.group('g').members()).members).toEqual([]);
  });

  it('are divided again when somebody comes: only what is too much moves', async () => {
    const one = await Worker.start(world);
    await world.advance(1_000);
    const tokens = new Map([...one.held].map(([shard, { fencingToken }]) => [shard, fencingToken]));
    const two = await Worker.start(world);
    await world.advance(1_000);
    expect([one.owned, two.owned]).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    for (const [shard, hold] of one.held) expect(hold.fencingToken).toBe(tokens.get(shard));
    for (const [shard, hold] of two.held) expect(hold.fencingToken).toBeGreaterThan(tokens.get(shard) ?? 0n);
    expect(one.told).toHaveLength(4);
    const { shards } = await one.shards.inspect();
    const [first, second] = (await one.client.group('g').members()).members;
    expect(shards.map(({ assignedTo }) => assignedTo)).toEqual([
      ...Array.from({ length: 4 }, () => first?.id),
      ...Array.from({ length: 4 }, () => second?.id),
    ]);
    expect(shards.map(({ owner }) => owner?.key)).toEqual(
      [...[...one.held], ...[...two.held]].sort(([a], [b]) => a - b).map(([, { key }]) => key),
    );
    await Promise.all([one.stop(), two.stop()]);
  });

  it('are handed over only when the work on them has ended, however long that takes', async () => {
    const one = await Worker.start(world);
    await world.advance(1_000);
    one.obeys = false;
    const two = await Worker.start(world);
    await world.advance(60_000);
    expect(one.told).toHaveLength(4);
    expect(one.owned).toEqual(eight);
    expect([...one.held.values()].every((hold) => hold.isHeld())).toBe(true);
    expect(two.owned).toEqual([]);
    one.letGo();
    await world.advance(1_000);
    expect(two.owned).toEqual([4, 5, 6, 7]);
    await Promise.all([one.stop(), two.stop()]);
  });

  it('of one who stops fall to the others at once, without any lease that runs out', async () => {
    const workers = [await Worker.start(world), await Worker.start(world), await Worker.start(world)];
    await world.advance(2_000);
    expect(all(...workers)).toEqual(eight);
    const [planner, two, three] = workers as [Worker, Worker, Worker];
    await planner.stop();
    await world.advance(1_000);
    expect(all(two, three)).toEqual(eight);
    expect([two.owned.length, three.owned.length]).toEqual([4, 4]);
    await Promise.all([two.stop(), three.stop()]);
  });

  it('of one that has crashed fall to the others when its lease has run out, not before, also if it was the planner', async () => {
    const one = await Worker.start(world);
    const two = await Worker.start(world);
    await world.advance(2_000);
    const lost = one.owned;
    world.partition(one.client);
    await world.advance(12_000);
    expect(two.owned).toHaveLength(4);
    await world.advance(6_000);
    expect(two.owned).toEqual(eight);
    expect(one.owned).toEqual([]);
    expect(one.told).toHaveLength(lost.length);
    world.heal(one.client);
    await world.advance(20_000);
    expect(all(one, two)).toEqual(eight);
    expect(one.owned).toHaveLength(4);
    await Promise.all([one.stop(), two.stop()]);
  });

  it('are divided evenly again when somebody has lost its session, and taken part again under the next', async () => {
    const one = await Worker.start(world);
    const two = await Worker.start(world);
    await world.advance(2_000);
    await world.expireSession(two.client);
    await world.advance(5_000);
    expect(all(one, two)).toEqual(eight);
    expect(two.owned).toHaveLength(4);
    await Promise.all([one.stop(), two.stop()]);
  });

  it('run again when the work returns, and never twice at a time', async () => {
    const one = await Worker.start(world, { pauseMs: 500 });
    await world.advance(1_000);
    const tokens = [...one.held.values()].map(({ fencingToken }) => fencingToken);
    one.letGo();
    await world.advance(1_000);
    expect(one.owned).toEqual(eight);
    for (const { fencingToken } of one.held.values()) expect(tokens).not.toContain(fencingToken);
    await one.stop();
  });

  it('are numbered alike by all who take part, or one of them is refused', async () => {
    const one = await Worker.start(world);
    await world.advance(1_000);
    const two = await Worker.start(world, { shards: 16 });
    await world.advance(1_000);
    expect(await two.ended).toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/they are 8 .* this program names 16/) as unknown,
    });
    expect(one.owned).toEqual(eight);
    await one.stop();
  });

  it('end with the error of the work, once the others have ended', async () => {
    const client = await world.client();
    const ended: number[] = [];
    const running = outcome(
      client
        .group('g')
        .shards(3)
        .run(async (shard, { signal }) => {
          if (shard === 1) throw new Error('bad shard');
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          ended.push(shard);
        }),
    );
    await world.advance(1_000);
    expect(await running).toMatchObject({ message: 'bad shard' });
    expect(ended.sort()).toEqual([0, 2]);
    expect((await client.group('g').members()).members).toEqual([]);
  });

  it('with onError go on after a pause', async () => {
    const client = await world.client();
    const errors: unknown[] = [];
    const stop = new AbortController();
    let runs = 0;
    const running = client
      .group('g')
      .shards(1)
      .run(
        async (_, { signal }) => {
          if (++runs < 3) throw new Error(`bad ${runs}`);
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        },
        { onError: (error) => errors.push(error), signal: stop.signal, pauseMs: 100 },
      );
    await world.advance(5_000);
    expect(errors.map(String)).toEqual(['Error: bad 1', 'Error: bad 2']);
    expect(runs).toBe(3);
    stop.abort();
    await running;
  });

  it('of a given membership end with it', async () => {
    const client = await world.client();
    const member = await client.group('g').join('here', { id: 'a' });
    const one = new Worker(client, { member });
    await world.advance(1_000);
    expect((await one.shards.inspect()).shards.map(({ assignedTo }) => assignedTo)).toEqual(
      Array.from({ length: 8 }, () => 'a'),
    );
    await member.leave();
    expect(await one.ended).toBeUndefined();
    expect(one.owned).toEqual([]);
  });

  it('end when the Conclave closes, and say so', async () => {
    const one = await Worker.start(world);
    await world.advance(1_000);
    await one.client.close();
    expect(await one.ended).toMatchObject({ code: 'CLOSED' });
    expect(one.owned).toEqual([]);
  });

  it('refuse bad arguments before anything is sent', async () => {
    const client = await world.client();
    const group = client.group('g');
    for (const bad of [0, -1, 1.5, NaN, 100_001]) expect(() => group.shards(bad)).toThrow(RangeError);
    expect(() => group.shards('8' as never)).toThrow(TypeError);
    expect(await outcome(group.shards(8).run('x' as never))).toBeInstanceOf(TypeError);
    expect(await outcome(group.shards(8).run(() => {}, { drain: 1 } as never))).toBeInstanceOf(TypeError);
    expect(await outcome(group.shards(8).run(() => {}, { pauseMs: -1 }))).toBeInstanceOf(RangeError);
    expect(world.calls(client)).toEqual([]);
    await group.shards(8).run(() => {}, { signal: AbortSignal.abort() });
    expect(world.calls(client)).toEqual([]);
  });
});
