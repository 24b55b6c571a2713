import { expect, it } from 'vitest';
import { type Peer, World } from '../../src/testing/index.js';

// A fault that never strikes lets a test pass that has tested nothing: what JavaScript lets through is refused here.
const mistakes: [string, (world: World, peer: Peer) => unknown, RegExp][] = [
  [
    'a method',
    (world, peer) => world.dropReply(peer, { method: 'putt' as 'put' }),
    /no method putt; there are get, /,
  ],
  [
    'a probe',
    // @ts-expect-error: the compiler knows the names
    (world) => world.onProbe('queue.fires', () => {}),
    /no probe queue.fires; there are session.granted, /,
  ],
  ['a member', (world, peer) => world.dropReply(peer, { endpoint: 'member-4' }), /no member member-4/],
  ['a lagging member', (world) => world.lagMember('member-4', 100), /no member member-4/],
  ['a silent member', (world) => world.silence('member-4'), /no member member-4/],
  [
    'a stream of a member',
    (world, peer) => world.breakStreams(peer, 'watch', { endpoint: 'x' }),
    /no member x/,
  ],
  ['a stream', (world, peer) => world.breakStreams(peer, 'watches' as 'watch'), /"watch" or "keepAlive"/],
  [
    'a direction',
    (world, peer) => world.partition(peer, { blocks: 'answers' as 'replies' }),
    /"requests", "replies"/,
  ],
  ['a delay', (world, peer) => world.delayReply(peer, { ms: -1 }), /ms must be finite and 0 or more, got -1/],
  [
    'a missing delay',
    (world, peer) => world.delayRequest(peer, {} as { ms: number }),
    /ms must be finite and 0 or more, got undefined/,
  ],
  [
    'a latency',
    (world, peer) => world.latency(peer, { requestMs: NaN }),
    /requestMs must be finite and 0 or more, got NaN/,
  ],
  [
    'a range',
    (world, peer) => world.latency(peer, { replyMs: [5, 1] }),
    /replyMs goes from low to high, got 5 to 1/,
  ],
  ['a lag', (world) => world.lagMember('member-1', -5), /a lag must be finite and 0 or more, got -5/],
  [
    'a lag of watches',
    (world, peer) => world.lagWatches(peer, Infinity),
    /a lag must be finite and 0 or more, got Infinity/,
  ],
];

it.each(mistakes)('refuses %s that does not exist, and does nothing', async (_, mistake, message) => {
  await using world = await World.open();
  const peer = world.peer();
  expect(() => mistake(world, peer)).toThrow(message);
  expect(peer.isDisturbed).toBe(false);
  world.mend();
  await peer.transport.close();
});
