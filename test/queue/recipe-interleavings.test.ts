import { describe, expect, it } from 'vitest';
import { toText } from '../../src/base/bytes.js';
import { type RequestTo, World } from '../../src/testing/index.js';
import { fullAfter, watched } from '../lock/lines.js';
import { outcome } from '../lock/observe.js';
import { isClaim, isPut, isRemoval, player, type Player, text } from './recipe-fixture.js';

type Txn = RequestTo<'txn'>;
type Strike = (world: World, at: Player, where: (request: Txn) => boolean) => { readonly hasFired: boolean };

/** What can become of one request, and of its answer. */
const fates: readonly (readonly [string, Strike])[] = [
  ['whose request got lost', (world, { peer }, where) => world.dropRequest(peer, { method: 'txn', where })],
  ['whose answer got lost', (world, { peer }, where) => world.dropReply(peer, { method: 'txn', where })],
  [
    'that is done once more much later',
    (world, { peer }, where) => world.repeatRequest(peer, { method: 'txn', where, ms: 20_000 }),
  ],
  [
    'that arrives much later',
    (world, { peer }, where) => world.delayRequest(peer, { method: 'txn', where, ms: 20_000 }),
  ],
];

/** The two kinds, used in the same way. */
const kinds = [
  [
    'a queue',
    (at: Player) => ({
      enqueue: (value: string) => at.queue('q').enqueue(value),
      dequeue: (options?: { timeoutMs?: number; signal?: AbortSignal }) => at.queue('q').dequeue(options),
    }),
  ],
  [
    'a priority queue',
    (at: Player) => ({
      enqueue: (value: string) => at.priorityQueue('q').enqueue(value, 5),
      dequeue: (options?: { timeoutMs?: number; signal?: AbortSignal }) =>
        at.priorityQueue('q').dequeue(options),
    }),
  ],
] as const;

const claims = (world: World, at: Player): number =>
  world.calls(at.peer).filter(({ method, request }) => method === 'txn' && isRemoval(request)).length;

const reads = (world: World, at: Player): number =>
  world.calls(at.peer).filter(({ method }) => method === 'get').length;

describe.each(kinds)('%s', (_, of) => {
  describe.each(fates)('and a request %s:', (_, strike) => {
    it('what is put is there once, then and later', async () => {
      await using world = await World.open();
      await using one = await player(world, 60_000);
      await using other = await player(world, 60_000);
      const fault = strike(world, one, isPut);

      await world.run(of(one).enqueue('a'));
      await world.run(of(one).enqueue('b'));

      expect(fault.hasFired).toBe(true);
      expect(await text(of(other).dequeue())).toBe('a');
      expect(await text(of(other).dequeue())).toBe('b');
      await world.advance(30_000);
      expect(await one.keysBelow('q/')).toEqual([]);
    });

    it('what is taken is taken once, and is not lost', async () => {
      await using world = await World.open();
      await using one = await player(world, 60_000);
      await using other = await player(world, 60_000);
      await of(other).enqueue('a');
      await of(other).enqueue('b');
      const fault = strike(world, one, isClaim);

      expect(toText(await world.run(of(one).dequeue()))).toBe('a');

      expect(fault.hasFired).toBe(true);
      await world.advance(30_000);
      expect(await one.keysBelow('q/')).toHaveLength(1);
      expect(await text(of(other).dequeue())).toBe('b');
    });
  });

  it('an item whose removal is in doubt when the session ends is not lost', async () => {
    await using world = await World.open();
    await using one = await player(world, 3_000);
    await of(one).enqueue('a');
    world.dropReply(one.peer, { method: 'txn', where: isClaim, isSilent: true });
    const taken = text(of(one).dequeue());
    await world.settle();
    expect(await one.keysBelow('q/')).toEqual([]);

    await world.expireSession(one.peer);

    expect(await world.run(taken)).toBe('a');
  });

  it('an item of which nobody can tell any more whether it was taken is reported', async () => {
    await using world = await World.open();
    await using one = await player(world, 3_000);
    await of(one).enqueue('a');
    world.dropReply(one.peer, { method: 'txn', where: isClaim, isSilent: true });
    const taken = outcome(of(one).dequeue());
    await world.settle();

    await world.expireSession(one.peer);
    world.compactUnderWatches(one.peer);

    expect(await world.run(taken)).toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      message: expect.stringMatching(/queue "q": "q\/.*" may have been taken/) as unknown,
    });
  });

  it('a removal that arrives after the end of its session takes nothing', async () => {
    await using world = await World.open();
    await using one = await player(world, 3_000);
    await using other = await player(world, 60_000);
    await of(other).enqueue('a');
    await of(other).enqueue('b');
    world.delayRequest(one.peer, { method: 'txn', where: isClaim, ms: 20_000, isSilent: true });
    const taken = text(of(one).dequeue());
    await world.settle();

    await world.expireSession(one.peer);

    expect(await world.run(taken)).toBe('a');
    await world.advance(30_000);
    expect(await text(of(other).dequeue())).toBe('b');
  });

  it('a session that has ended unnoticed costs neither who puts nor who takes anything', async () => {
    await using world = await World.open();
    await using one = await player(world);
    world.lagWatches(one.peer, 60_000);
    await world.expireSession(one.peer);
    await world.run(of(one).enqueue('a'));
    await world.expireSession(one.peer);

    expect(await world.run(text(of(one).dequeue()))).toBe('a');
  });

  it('who waits outlives the session', async () => {
    await using world = await World.open();
    await using one = await player(world, 3_000);
    await using other = await player(world, 60_000);
    const waiting = watched(world, text(of(one).dequeue()));
    await world.settle();
    await world.expireSession(one.peer);
    expect(waiting.isIn).toBe(false);

    await of(other).enqueue('a');

    expect(await world.run(waiting.promise)).toBe('a');
  });

  it('who waits goes on after what it watched was compacted away', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await using other = await player(world, 60_000);
    const waiting = text(of(one).dequeue());
    await world.settle();
    world.partition(one.peer, { refuses: true });
    await of(other).enqueue('a');
    world.compactUnderWatches(one.peer);
    world.heal(one.peer);
    const before = world.now();

    expect(await world.run(waiting)).toBe('a');
    expect(world.now() - before).toBeLessThan(5_000); // not by the slow look
    expect(world.watches(one.peer).filter(({ range }) => toText(range.key) === 'q/')).toEqual([]);
  });

  it('who waits goes on over broken streams, and over times without a store', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await using other = await player(world, 60_000);
    const waiting = text(of(one).dequeue());
    await world.settle();
    world.breakStreams(one.peer, 'watch');
    world.partition(one.peer, { refuses: true });
    await world.advance(30_000);
    await of(other).enqueue('a');
    world.heal(one.peer);

    expect(await world.run(waiting)).toBe('a');
  });

  it('who comes while the store is away waits for it', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await of(one).enqueue('a');
    world.partition(one.peer, { refuses: true });
    const waiting = watched(world, text(of(one).dequeue()));
    await world.advance(20_000);
    expect(waiting.isIn).toBe(false);
    world.heal(one.peer);

    expect(await world.run(waiting.promise)).toBe('a');
  });

  it('who comes while the store is away, and does not want to wait, is told that', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    world.partition(one.peer, { refuses: true });

    const attempt = outcome(of(one).dequeue({ timeoutMs: 0 }));

    expect(await world.run(attempt)).toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('who does not want to wait does not wait for those who do, either', async () => {
    await using world = await World.open();
    await using one = await player(world);
    const waiting = outcome(of(one).dequeue());
    await world.settle();
    expect(await outcome(of(one).dequeue({ timeoutMs: 0 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
    await world.run(one.connection.close());
    expect(await waiting).toMatchObject({ code: 'CLOSED' });
  });

  it('who waits finds what its watch has not told of', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await using other = await player(world, 60_000);
    const waiting = text(of(one).dequeue());
    await world.settle();
    world.lagWatches(one.peer, 600_000);
    await of(other).enqueue('a');
    const before = world.now();

    expect(await world.run(waiting)).toBe('a');
    expect(world.now() - before).toBeLessThanOrEqual(15_000);
  });

  it('what is put between a look and the watch that follows it is not overlooked', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await using other = await player(world, 60_000);
    world.latency(one.peer, { requestMs: 20, replyMs: 20 });
    const waiting = watched(world, text(of(one).dequeue()));
    await world.advance(45); // it has read, and its watch is under way
    await of(other).enqueue('a');

    await world.advance(500);

    expect(waiting.isIn).toBe(true);
  });

  it('a wait that ends while an item is being removed gives that item, and loses nothing', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await of(one).enqueue('a');
    const caller = new AbortController();
    world.dropReply(one.peer, { method: 'txn', where: isClaim, isSilent: true });
    const taken = text(of(one).dequeue({ signal: caller.signal }));
    await world.settle();

    caller.abort(new Error('enough'));

    expect(await world.run(taken)).toBe('a');
  });

  it('a wait that ends while a removal surely does not arrive takes nothing', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await of(one).enqueue('a');
    const caller = new AbortController();
    const reason = new Error('enough');
    world.dropRequest(one.peer, { method: 'txn', where: isClaim, isSilent: true });
    const taken = outcome(of(one).dequeue({ signal: caller.signal }));
    await world.settle();

    caller.abort(reason);

    expect(await world.run(taken)).toBe(reason);
    await world.advance(30_000);
    expect(await one.keysBelow('q/')).toHaveLength(1);
  });

  it('close waits until it is known whether an item was taken', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await of(one).enqueue('a');
    world.dropReply(one.peer, { method: 'txn', where: isClaim, isSilent: true });
    const taken = text(of(one).dequeue());
    await world.settle();

    await world.run(one.close());

    expect(await taken).toBe('a');
  });

  it('close rejects who waits, and who comes later', async () => {
    await using world = await World.open();
    await using one = await player(world);
    const waiting = [outcome(of(one).dequeue()), outcome(of(one).dequeue())];
    await world.settle();
    await world.run(one.connection.close());
    for (const each of waiting) expect(await each).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(of(one).dequeue())).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(of(one).enqueue('a'))).toMatchObject({ code: 'CLOSED' });
  });

  it('however many wait, a process reads and tries once for each item', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await using other = await player(world, 60_000);
    await using third = await player(world, 60_000);
    const waiting = [one, other].flatMap((at) =>
      Array.from({ length: 5 }, () => watched(world, of(at).dequeue())),
    );
    await world.settle();
    const readBefore = reads(world, one) + reads(world, other);

    await of(third).enqueue('a');
    await world.settle();

    expect(waiting.filter(({ isIn }) => isIn)).toHaveLength(1);
    expect(claims(world, one) + claims(world, other)).toBeLessThanOrEqual(2);
    // Each because it has come, and once more: one for its next task, the other since it was gone.
    expect(reads(world, one) + reads(world, other)).toBeLessThanOrEqual(readBefore + 4);
    for (let i = 0; i < 9; i++) await of(third).enqueue('b');
    await Promise.all(waiting.map(({ promise }) => promise));
    expect(await one.keysBelow('q/')).toEqual([]);
  });

  it('an item that another took first is not waited for, and the next one is taken', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await using other = await player(world, 60_000);
    await of(other).enqueue('a');
    await of(other).enqueue('b');
    world.latency(one.peer, { requestMs: 20, replyMs: 20 });
    const taken = text(of(one).dequeue());
    await world.advance(45); // it has read
    expect(await text(of(other).dequeue())).toBe('a');

    expect(await world.run(taken)).toBe('b');
  });

  it('an item that somebody wrote again meanwhile is taken as it is then', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await of(one).enqueue('a');
    const [key = ''] = await one.keysBelow('q/');
    world.latency(one.peer, { requestMs: 20, replyMs: 20 });
    const taken = text(of(one).dequeue());
    await world.advance(45); // it has read
    await world.store.put(key, 'b');

    expect(await world.run(taken)).toBe('b');
    await world.advance(1_000);
    expect((await world.store.get(key)).kvs).toEqual([]);
  });

  describe('in a store that is full', () => {
    it('can be emptied', async () => {
      await using world = await World.open();
      await using one = await player(world, 60_000);
      await of(one).enqueue('a');
      await of(one).enqueue('b');
      world.engine.noSpace = true;

      expect([await text(of(one).dequeue()), await text(of(one).dequeue())]).toEqual(['a', 'b']);

      expect(await outcome(of(one).enqueue('c'))).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
      world.engine.noSpace = false;
      expect(await one.keysBelow('q/')).toEqual([]);
    });

    it('reports an item that may have been taken when it became full', async () => {
      await using world = await World.open();
      await using one = await player(world, 60_000);
      await of(one).enqueue('a');
      fullAfter(world, isClaim);
      expect(await outcome(of(one).dequeue())).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    });

    it('reports an item whose removal got no answer', async () => {
      await using world = await World.open();
      await using one = await player(world, 60_000);
      await of(one).enqueue('a');
      world.engine.noSpace = true;
      const isPlain = (request: Txn): boolean => isRemoval(request) && !isClaim(request);
      world.dropReply(one.peer, { method: 'txn', where: isPlain });
      expect(await outcome(of(one).dequeue())).toMatchObject({
        code: 'OUTCOME_UNKNOWN',
        message: expect.stringContaining('may have been taken') as unknown,
      });
      world.engine.noSpace = false;
    });
  });
});

describe('two names that are the same', () => {
  it('are two items', async () => {
    await using world = await World.open();
    await using one = await player(world);
    let calls = 0;
    one.peer.runtime.random = () => (calls++ < 2 ? 0.5 : calls / 1_000);

    await one.queue('q').enqueue('a');
    await world.run(one.queue('q').enqueue('b'));

    expect([await text(one.queue('q').dequeue()), await text(one.queue('q').dequeue())]).toEqual(['a', 'b']);
  });
});

describe('a priority queue', () => {
  it('gives no number twice while its items are taken', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    await using other = await player(world, 60_000);
    const queue = one.priorityQueue('q');
    await queue.enqueue('a', 5); // 0
    world.latency(one.peer, { requestMs: 20, replyMs: 20 });
    const late = queue.enqueue('late', 5);
    await world.advance(45); // it has read that 1 is next
    await other.priorityQueue('q').enqueue('b', 5); // 1
    await other.priorityQueue('q').enqueue('c', 5); // 2
    await world.store.remove('q/00005/0000000000000001'); // as if it had been taken

    await world.run(late);

    world.latency(one.peer, {});
    const taken = [];
    for (let i = 0; i < 3; i++) taken.push(await text(queue.dequeue()));
    expect(taken).toEqual(['a', 'c', 'late']);
  });

  it('does not overwrite what was put without its guard', async () => {
    await using world = await World.open();
    await using one = await player(world, 60_000);
    world.latency(one.peer, { requestMs: 20, replyMs: 20 });
    const late = one.priorityQueue('q').enqueue('late', 5);
    await world.advance(45); // it has read that 0 is next
    await world.store.put('q/00005/0000000000000000', 'by hand');

    await world.run(late);

    world.latency(one.peer, {});
    expect(await one.keysBelow('q/')).toHaveLength(2);
  });
});

describe('before anything is sent', () => {
  it.each(['', undefined, null, 5, '\ud800'])('%j is no path', async (path) => {
    await using world = await World.open();
    await using one = await player(world);
    expect(() => one.queue(path as string)).toThrow(TypeError);
    expect(() => one.priorityQueue(path as string)).toThrow(TypeError);
  });

  it.each([
    ['a value that is none', (at: Player) => at.queue('q').enqueue(5 as unknown as string), TypeError],
    ['a lone surrogate', (at: Player) => at.priorityQueue('q').enqueue('\ud800', 5), TypeError],
    [
      'no priority',
      (at: Player) => at.priorityQueue('q').enqueue('a', undefined as unknown as number),
      TypeError,
    ],
    ['a priority that is none', (at: Player) => at.priorityQueue('q').enqueue('a', 1.5), RangeError],
    ['a negative priority', (at: Player) => at.priorityQueue('q').enqueue('a', -1), RangeError],
    ['a priority too great for Go', (at: Player) => at.priorityQueue('q').enqueue('a', 65_536), RangeError],
    ['options that are none', (at: Player) => at.queue('q').dequeue(null as unknown as object), TypeError],
    ['an unknown option', (at: Player) => at.queue('q').dequeue({ timeout: 5 } as object), TypeError],
    ['a timeout that is none', (at: Player) => at.priorityQueue('q').dequeue({ timeoutMs: NaN }), RangeError],
  ])('%s is refused', async (_, attempt, kind) => {
    await using world = await World.open();
    await using one = await player(world);
    const before = world.calls(one.peer).length;
    expect(await outcome(attempt(one))).toBeInstanceOf(kind);
    expect(world.calls(one.peer)).toHaveLength(before);
  });
});

it('a session of its own that is lost ends the waits on it', async () => {
  await using world = await World.open();
  await using one = await player(world);
  const { connection, session } = await one.connection.withSession(3_000);
  const { RecipeQueue } = await import('../../src/queue/recipe-queue.js');
  const waiting = outcome(new RecipeQueue(connection, 'q').dequeue());
  await world.settle();
  world.engine.expireLease(session.leaseId);
  await world.settle();
  expect(await waiting).toMatchObject({ code: 'SESSION_LOST' });
});
