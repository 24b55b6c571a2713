import { describe, expect, it } from 'vitest';
import { put } from '../../src/store/operations.js';
import type { WatchMessage } from '../../src/store/transport.js';
import { type Peer, World } from '../../src/testing/index.js';
import { Inbox, keysSeen, watchOf } from './inbox.js';

function ringing(world: World, { runtime }: Peer, delayMs: number, log: string[]): void {
  runtime.setTimer(delayMs, () => log.push(`${delayMs}@${world.now()}`));
}

describe('a paused process', () => {
  it('fires its overdue timers late, in the order in which they were due, and the others in time', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const log: string[] = [];
    for (const delayMs of [200, 100, 900]) ringing(world, peer, delayMs, log);
    world.pause(peer);
    await world.advance(500);
    expect(log).toEqual([]);
    world.resume(peer);
    await world.settle();
    expect(log).toEqual(['100@500', '200@500']);
    await world.advance(400);
    expect(log.at(-1)).toBe('900@900');
  });

  it('fires no timer twice, and none that was cancelled, however often it is resumed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const log: string[] = [];
    ringing(world, peer, 100, log);
    const cancelled = peer.runtime.setTimer(200, () => log.push('cancelled'));
    world.resume(peer);
    world.pause(peer);
    world.resume(peer);
    world.resume(peer);
    cancelled.cancel();
    await world.advance(1_000);
    expect(log).toEqual(['100@100']);
  });

  it('fires what is overdue when it resumes, without anybody moving the clock', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const rung = new Promise<number>((resolve) => peer.runtime.setTimer(100, () => resolve(world.now())));
    world.pause(peer);
    await world.advance(300);
    world.resume(peer);
    expect(await rung).toBe(300);
  });

  it('sees the time that has passed at its first look', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.pause(peer);
    await world.advance(7_000);
    expect(peer.runtime.now()).toBe(7_000);
  });

  it('reads what has come only after its overdue timers, without anybody moving the clock', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const log: string[] = [];
    const inbox = new Inbox<WatchMessage>();
    const heard = new Promise<void>((resolve) => {
      const stream = peer.transport.watchStream('member-1', {
        ended: (error) => inbox.ended(error),
        message(message) {
          inbox.message(message);
          if (message.created) return;
          log.push('event');
          stream.close();
          resolve();
        },
      });
      stream.send(watchOf('k'));
    });
    await world.settle();
    ringing(world, peer, 100, log);
    world.pause(peer);
    await world.store.put('k1', '');
    await world.advance(500);
    expect(keysSeen(inbox)).toEqual([]);

    world.resume(peer);
    await heard;
    expect(log).toEqual(['100@500', 'event']);
  });

  it('sends nothing before it resumes: it can stop in the middle of a write', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.pause(peer);
    const options = { signal: new AbortController().signal, requireLeader: true };
    const writing = peer.transport.unary('member-1', 'put', put('a', ''), options);
    await world.advance(30_000);
    expect((await world.store.get('a')).count).toBe(0);
    world.resume(peer);
    await writing;
    expect((await world.store.get('a')).count).toBe(1);
  });
});

it('a suspended machine loses the time by its monotonic clock, not by its wall clock', async () => {
  await using world = await World.open();
  const peer = world.peer();
  const log: string[] = [];
  ringing(world, peer, 1_000, log);
  const wall = peer.runtime.wallNow();
  await world.advance(600);
  world.suspend(peer);
  await world.advance(60_000);
  world.resume(peer);
  expect(peer.runtime.now()).toBe(600);
  expect(peer.runtime.wallNow() - wall).toBe(60_600);
  await world.advance(399);
  expect(log).toEqual([]);
  await world.advance(1);
  expect(log).toEqual(['1000@61000']);
});

it('a wall clock that is set jumps alone', async () => {
  await using world = await World.open();
  const [one, other] = [world.peer(), world.peer()];
  world.jumpWall(one, -5_000);
  expect(one.runtime.wallNow() - other.runtime.wallNow()).toBe(-5_000);
  expect(one.runtime.now()).toBe(other.runtime.now());
});

it('a clock that runs fast gains time, and rings early by the world', async () => {
  await using world = await World.open();
  const peer = world.peer({ clockRate: 1.25 });
  const log: string[] = [];
  ringing(world, peer, 1_000, log);
  await world.advance(800);
  expect(log).toEqual(['1000@800']);
  expect(peer.runtime.now()).toBe(1_000);
});

describe('a crashed process', () => {
  it('runs and hears nothing any more, and its streams are closed', async () => {
    await using world = await World.open();
    const peer = world.peer();
    const log: string[] = [];
    ringing(world, peer, 100, log);
    const inbox = new Inbox<WatchMessage>();
    peer.transport.watchStream('member-1', inbox).send(watchOf('k'));
    await world.settle();
    world.crash(peer);
    await world.store.put('k1', '');
    await world.advance(1_000);
    world.resume(peer);
    await world.advance(1_000);
    expect([log, keysSeen(inbox), inbox.errors]).toEqual([[], [], []]);
    expect(world.watches(peer)).toEqual([]);
  });

  it('sends nothing any more, and that does not keep the world from ending', async () => {
    await using world = await World.open();
    const peer = world.peer();
    world.crash(peer);
    const options = { signal: new AbortController().signal, requireLeader: true };
    void peer.transport.unary('member-1', 'put', put('a', ''), options);
    await world.advance(1_000);
    expect((await world.store.get('a')).count).toBe(0);
  });
});

describe('ids', () => {
  it('are positive, fit into 63 bits, and belong to one process of one world', async () => {
    await using world = await World.open({ seed: 1 });
    await using other = await World.open({ seed: 2 });
    const ids = [world.peer(), world.peer(), other.peer()].flatMap(({ runtime }) =>
      Array.from({ length: 100 }, () => runtime.id()),
    );
    expect(new Set(ids).size).toBe(300);
    for (const id of ids) expect(id > 0n && id < 2n ** 63n).toBe(true);
  });

  it('and chance are the same for the same seed, whatever other processes draw', async () => {
    await using world = await World.open({ seed: 3 });
    await using again = await World.open({ seed: 3 });
    const draw = ({ runtime }: Peer): unknown[] => [runtime.id(), runtime.random(), runtime.random()];
    const [, second] = [draw(world.peer()), draw(world.peer())];
    again.peer();
    expect(draw(again.peer())).toEqual(second);
  });
});

it('a probe point calls the hooks that are aimed at it, and no others', async () => {
  await using world = await World.open();
  const [one, other] = [world.peer(), world.peer()];
  const log: string[] = [];
  world.onProbe('once.send', (peer) => log.push(`any ${peer.name}`));
  const aimed = world.onProbe('once.send', () => log.push('aimed'), { client: other });
  one.runtime.probe('once.send');
  one.runtime.probe('once.done');
  expect(aimed.hasFired).toBe(false);
  other.runtime.probe('once.send');
  expect(aimed.hasFired).toBe(true);
  aimed.cancel();
  other.runtime.probe('once.send');
  expect(log).toEqual(['any client-1', 'any client-2', 'aimed', 'any client-2']);
});
