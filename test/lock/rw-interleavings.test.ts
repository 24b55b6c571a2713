import { describe, expect, it } from 'vitest';
import type { Conclave, Hold, ReadHold, WriteHold } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import {
  fates,
  fullAfter,
  isBump,
  isExchange,
  isRemoval,
  isRewrite,
  isTake,
  opened,
  rwLine,
  standing,
  watched,
} from './lines.js';
import { outcome } from './observe.js';

/** What stands in the line of the lock that all tests use. */
const modes = async (world: World): Promise<(string | undefined)[]> =>
  (await standing(world, rwLine('l'))).map(({ mode }) => mode);

describe.each(fates)('a downgrade %s', (_, strike) => {
  it('lets in the readers right behind and no writer, and overwrites nothing later', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const writer = await client.rwLock('l').write.acquire();
    const reading = watched(world, other.rwLock('l').read.acquire());
    await world.settle();
    const writing = watched(world, other.rwLock('l').write.acquire());
    await world.settle();
    const fault = strike(world, client, { method: 'txn', where: isRewrite });

    const reader = await world.run(writer.downgrade());

    expect(fault.hasFired).toBe(true);
    expect(reader.isHeld()).toBe(true);
    await world.settle();
    expect([reading.isIn, writing.isIn]).toEqual([true, false]);
    await (await reading.promise).release();
    await world.advance(100);
    expect(writing.isIn).toBe(false);
    const upgrade = await reader.tryUpgrade();
    expect(upgrade).toBeUndefined();
    await reader.release();
    await using next = await writing.promise;
    await world.advance(30_000);
    expect(await modes(world)).toEqual(['write']);
    expect(next.isHeld()).toBe(true);
  });

  it('that is over when it comes again changes no ticket of later', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    strike(world, client, { method: 'txn', where: isRewrite });
    const reader = await world.run((await client.rwLock('l').write.acquire()).downgrade());
    await using writer = await reader.tryUpgrade();

    await world.advance(30_000);

    expect(await modes(world)).toEqual(['write']);
    expect((await world.store.txn({ if: writer!.guard() })).succeeded).toBe(true);
  });
});

describe('a downgrade', () => {
  it('is no writer any more from the call on, and no reader until the store has said so', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const writer = await client.rwLock('l').write.acquire();
    world.delayReply(client, { method: 'txn', where: isRewrite, ms: 300 });

    const downgrading = watched(world, writer.downgrade());

    expect(writer.isHeld()).toBe(false);
    await world.advance(200);
    expect(downgrading.isIn).toBe(false);
    await world.advance(200);
    await (await downgrading.promise).release();
  });

  it('during which the session ends is a loss, of the one hold and of the other', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const writer = await client.rwLock('l').write.acquire();
    const next = other.rwLock('l').write.acquire();
    await world.settle();
    world.dropRequest(client, { method: 'txn', where: isRewrite, isSilent: true });
    const downgrading = outcome(writer.downgrade());
    await world.settle();

    await world.expireSession(client);

    expect(await downgrading).toMatchObject({ code: 'HOLD_LOST', cause: { code: 'SESSION_LOST' } });
    expect(writer.signal.reason).toMatchObject({ code: 'HOLD_LOST' });
    await (await next).release();
  });

  it('that close ends is told so', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const writer = await client.rwLock('l').write.acquire();
    world.dropRequest(client, { method: 'txn', where: isRewrite });
    const downgrading = outcome(writer.downgrade());
    await world.settle(); // it is about to be sent again

    const closing = client.close();

    expect(await world.run(downgrading)).toMatchObject({ code: 'CLOSED' });
    await closing;
    expect(writer.signal.reason).toMatchObject({ code: 'CLOSED' });
  });

  it('is not granted while its session is suspect, and is a loss if that ends meanwhile', async () => {
    await using world = await World.open();
    const client = await opened(world, 9_000);
    for (const isLost of [false, true]) {
      const writer = await client.rwLock('l').write.acquire();
      world.delayReply(client, { method: 'keepAlive', ms: 500 });
      const downgrading = watched(world, outcome(writer.downgrade()));
      world.jumpWall(client, 60_000);
      await world.advance(100); // its answer is there, that to a renewal is not

      expect(downgrading.isIn).toBe(false);
      if (isLost) world.partition(client);
      await world.advance(isLost ? 10_000 : 1_000);

      const result = await downgrading.promise;
      if (isLost) expect(result).toMatchObject({ code: 'HOLD_LOST' });
      else await (result as ReadHold).release();
    }
  });

  it('in a store that is full gives the lock back', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const writer = await client.rwLock('l').write.acquire();
    const next = other.rwLock('l').write.acquire();
    await world.settle();
    world.engine.noSpace = true;

    expect(await outcome(writer.downgrade())).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });

    await using following = await next;
    expect(following.isHeld()).toBe(true);
    world.engine.noSpace = false;
  });

  it('that fails in a callback leaves nothing when the callback has ended', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const running = client.rwLock('l').write.run(async (writer) => {
      world.engine.noSpace = true;
      await writer.downgrade();
    });

    expect(await outcome(running)).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });

    world.engine.noSpace = false;
    expect(await modes(world)).toEqual([]);
  });

  it('is seen by a reader whose watch lags, and by one whose watch was compacted away', async () => {
    await using world = await World.open();
    const [client, lagging, broken] = [await opened(world), await opened(world), await opened(world)];
    const writer = await client.rwLock('l').write.acquire();
    const readers = [
      watched(world, lagging.rwLock('l').read.acquire()),
      watched(world, broken.rwLock('l').read.acquire()),
    ];
    await world.settle();
    world.lagWatches(lagging, 2_000);
    world.partition(broken, { refuses: true });

    await using reader = await writer.downgrade();
    world.compactUnderWatches(broken);
    world.heal(broken);
    await world.advance(5_000);

    expect(readers.map(({ isIn }) => isIn)).toEqual([true, true]);
    expect(reader.isHeld()).toBe(true);
    for (const { promise } of readers) await (await promise).release();
  });

  it('of a ticket that somebody removed is a loss', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const writer = await client.rwLock('l').write.acquire();
    await world.store.remove(writer.key);

    expect(await outcome(writer.downgrade())).toMatchObject({ code: 'HOLD_LOST' });

    expect(await modes(world)).toEqual([]);
  });
});

describe('a ticket that was downgraded', () => {
  it('still ends with its session', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const reader = await (await client.rwLock('l').write.acquire()).downgrade();

    await world.expireSession(client);

    expect(reader.isHeld()).toBe(false);
    expect(await modes(world)).toEqual([]);
  });
});

describe.each(fates)('an upgrade %s', (_, strike) => {
  it('succeeds with one ticket, and leaves nothing after its release', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    const reader = await client.rwLock('l').read.acquire();
    const fault = strike(world, client, { method: 'txn', where: isExchange });

    const writer = await world.run(reader.tryUpgrade());

    expect(fault.hasFired).toBe(true);
    expect(writer?.isHeld()).toBe(true);
    expect(await modes(world)).toEqual(['write']);
    expect((await world.store.txn({ if: writer!.guard() })).succeeded).toBe(true);
    await world.advance(12_000); // the slow look passes
    expect(writer?.isHeld()).toBe(true);
    expect(reader.signal.aborted).toBe(false);
    await writer?.release();
    await world.advance(30_000);
    expect(await modes(world)).toEqual([]);
  });

  it('never exchanges the ticket after it was answered "not alone"', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const reader = await client.rwLock('l').read.acquire();
    const second = await other.rwLock('l').read.acquire();
    strike(world, client, { method: 'txn', where: isExchange });

    expect(await world.run(reader.tryUpgrade())).toBeUndefined();
    await second.release();
    await world.advance(30_000);

    expect((await standing(world, rwLine('l'))).map(({ key }) => key)).toEqual([reader.key]);
    expect(reader.isHeld()).toBe(true);
    await reader.release();
  });
});

describe('an upgrade', () => {
  it('is not granted while its session is suspect, and is a loss if that ends meanwhile', async () => {
    await using world = await World.open();
    const client = await opened(world, 9_000);
    for (const isLost of [false, true]) {
      const reader = await client.rwLock('l').read.acquire();
      world.latency(client, { replyMs: 200 });
      const upgrading = watched(world, outcome(reader.tryUpgrade()));
      world.jumpWall(client, 60_000);
      await world.advance(200); // its answer is there, that to a renewal is not

      expect(upgrading.isIn).toBe(false);
      if (isLost) world.partition(client);
      world.latency(client, {});
      await world.advance(isLost ? 10_000 : 1_000);

      const result = await upgrading.promise;
      if (isLost) expect(result).toMatchObject({ code: 'HOLD_LOST' });
      else await (result as WriteHold).release();
    }
  });

  it('that is on its way when another reader comes is not done, also when its copy lands later', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const reader = await client.rwLock('l').read.acquire();
    world.delayRequest(client, { method: 'txn', where: isExchange, ms: 20_000 });
    const upgrading = reader.tryUpgrade();
    const second = await other.rwLock('l').read.acquire();

    expect(await world.run(upgrading)).toBeUndefined();
    await second.release(); // it would be alone now
    await world.advance(30_000);

    expect((await standing(world, rwLine('l'))).map(({ mode }) => mode)).toEqual(['read']);
    expect((await world.store.txn({ if: reader.guard() })).succeeded).toBe(true);
    await reader.release();
  });

  it('goes on after a late copy of a bump has moved the epoch', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    world.dropRequest(client, { method: 'txn', where: isTake });
    world.repeatRequest(client, { method: 'txn', where: isBump, ms: 5_000 });
    const reader = await world.run(client.rwLock('l').read.acquire());
    await world.advance(6_000);

    await using writer = await world.run(reader.tryUpgrade());

    expect(writer?.isHeld()).toBe(true);
  });

  it('that a full store has done all the same is a loss, and known to be', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const reader = await client.rwLock('l').read.acquire();
    fullAfter(world, isExchange);

    expect(await outcome(reader.tryUpgrade())).toMatchObject({ code: 'HOLD_LOST' });

    expect(reader.isHeld()).toBe(false);
    expect(reader.signal.reason).toMatchObject({ code: 'HOLD_LOST' });
    await using next = await other.rwLock('l').write.acquire();
    expect(await modes(world)).toEqual(['write']);
    expect(next.isHeld()).toBe(true);
  });

  it('of two readers at once: none of them', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    await using reader = await client.rwLock('l').read.acquire();
    await using second = await other.rwLock('l').read.acquire();

    expect(await Promise.all([reader.tryUpgrade(), second.tryUpgrade()])).toEqual([undefined, undefined]);
    expect(await modes(world)).toEqual(['read', 'read']);
  });

  it('asked for twice at once is done once', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const reader = await client.rwLock('l').read.acquire();

    const [writer, second] = await Promise.all([reader.tryUpgrade(), reader.tryUpgrade()]);

    expect([writer?.isHeld(), second]).toEqual([true, undefined]);
    expect(await modes(world)).toEqual(['write']);
    await writer?.release();
  });

  it('is no loss to a look at the tickets that finds the old one gone', async () => {
    await using world = await World.open();
    const client = await opened(world, 3_000);
    const reader = await client.rwLock('l').read.acquire();
    world.delayReply(client, { method: 'txn', where: isExchange, ms: 900 });
    // The slow look comes every ten seconds after the session was opened: between the exchange and its answer.
    await world.advance(9_500);

    const writer = await world.run(reader.tryUpgrade());

    expect(world.now()).toBeGreaterThan(10_000);
    expect(reader.signal.aborted).toBe(false);
    expect(writer?.isHeld()).toBe(true);
    await writer?.release();
  });

  it('of a ticket that somebody removed is a loss', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const reader = await client.rwLock('l').read.acquire();
    await world.store.remove(reader.key);

    expect(await outcome(reader.tryUpgrade())).toMatchObject({ code: 'HOLD_LOST' });

    expect(reader.signal.reason).toMatchObject({ code: 'HOLD_LOST' });
    expect(await modes(world)).toEqual([]);
  });

  it('during which the session ends is a loss, and leaves nothing', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const reader = await client.rwLock('l').read.acquire();
    world.delayRequest(client, { method: 'txn', where: isExchange, ms: 2_000, isSilent: true });
    const upgrading = outcome(reader.tryUpgrade());
    const next = other.rwLock('l').write.acquire();
    await world.settle();

    await world.expireSession(client);

    expect(await upgrading).toMatchObject({ code: 'HOLD_LOST', cause: { code: 'SESSION_LOST' } });
    await using following = await next;
    await world.advance(10_000);
    expect(await modes(world)).toEqual(['write']);
    expect(following.isHeld()).toBe(true);
  });

  it('while the store cannot be reached is refused, and the reader stays one', async () => {
    await using world = await World.open();
    const client = await opened(world);
    await using reader = await client.rwLock('l').read.acquire();
    world.partition(client, { refuses: true });

    expect(await world.run(outcome(reader.tryUpgrade()))).toMatchObject({ code: 'UNAVAILABLE' });

    world.heal(client);
    await world.advance(3_000);
    expect(reader.isHeld()).toBe(true);
    const writer = await world.run(reader.tryUpgrade());
    expect(writer?.isHeld()).toBe(true);
    await writer?.release();
  });

  it('in a store that is full is refused, and the reader stays one', async () => {
    await using world = await World.open();
    const client = await opened(world);
    await using reader = await client.rwLock('l').read.acquire();
    world.engine.noSpace = true;

    expect(await outcome(reader.tryUpgrade())).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });

    expect(reader.isHeld()).toBe(true);
    expect(await modes(world)).toEqual(['read']);
    world.engine.noSpace = false;
    await world.advance(2_000);
  });
});

/** Every moment of an upgrade's round trip, in steps of this. */
const stepMs = 50;

describe('a release during an upgrade', () => {
  it.each([
    ['that is done', false],
    ['that is refused', true],
  ])('%s gives back what there is, is no loss, and ends the upgrade', async (_, isShared) => {
    for (let atMs = 0; atMs <= 250; atMs += stepMs) {
      await using world = await World.open();
      const [client, other] = [await opened(world), await opened(world)];
      const reader = await client.rwLock('l').read.acquire();
      const second = isShared ? await other.rwLock('l').read.acquire() : undefined;
      world.latency(client, { requestMs: 100, replyMs: 100 });
      const upgrading = outcome(reader.tryUpgrade());
      await world.advance(atMs);
      const released = outcome(reader.release());

      const [upgraded] = await world.run(Promise.all([upgrading, released]));

      expect(await released).toBeUndefined();
      const isDone = !isShared && atMs >= 200; // it was a writer by then, and the release did nothing
      if (isDone) expect((upgraded as WriteHold).isHeld()).toBe(true);
      else if (atMs < 200) expect(upgraded).toMatchObject({ code: 'HOLD_LOST' });
      const left = isDone ? ['write'] : [];
      expect(await modes(world)).toEqual(isShared ? ['read'] : left);
      if (isDone) await world.run((upgraded as WriteHold).release());
      await second?.release();
    }
  });

  it('whose answer is lost leaves nothing', async () => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    const reader = await client.rwLock('l').read.acquire();
    world.repeatRequest(client, { method: 'txn', where: isExchange, ms: 20_000, isSilent: true });
    const upgrading = outcome(reader.tryUpgrade());
    await world.settle();

    expect(await world.run(outcome(reader.release()))).toBeUndefined();

    expect(await upgrading).toMatchObject({ code: 'HOLD_LOST' });
    expect(await modes(world)).toEqual([]);
    await world.advance(30_000);
    expect(await modes(world)).toEqual([]);
  });
});

const changes = {
  downgrade: async (client: Conclave): Promise<() => Promise<ReadHold | WriteHold | undefined>> => {
    const writer = await client.rwLock('l').write.acquire();
    return () => writer.downgrade();
  },
  tryUpgrade: async (client: Conclave): Promise<() => Promise<ReadHold | WriteHold | undefined>> => {
    const reader = await client.rwLock('l').read.acquire();
    return () => reader.tryUpgrade();
  },
} as const;

describe.each(Object.entries(changes))('close at any moment of %s', (name, begin) => {
  it('leaves no hold that was not told to stop, and no key', async () => {
    for (let turns = 0; turns < 40; turns++) {
      await using world = await World.open();
      const client = await opened(world);
      const change = await begin(client);

      const changed = outcome(change());
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await client.close();

      const result = await changed;
      if (result instanceof Error)
        expect(['CLOSED', 'HOLD_LOST']).toContain((result as Error & { code: string }).code);
      else expect((result as ReadHold).signal.reason).toMatchObject({ code: 'CLOSED' });
      expect((await world.store.lease.list()).leases).toEqual([]);
    }
  });

  it('in a callback waits for the callback, which is told to stop and keeps its key until it has', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const seen: unknown[] = [];
    const work = async (hold: ReadHold | WriteHold): Promise<void> => {
      const next = 'downgrade' in hold ? await hold.downgrade() : await hold.tryUpgrade();
      await new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
      seen.push(next?.isHeld(), next?.signal.reason, await modes(world));
    };
    const lock = client.rwLock('l');
    const running = name === 'downgrade' ? lock.write.run(work) : lock.read.run(work);
    await world.settle();

    await client.close();

    expect(seen).toMatchObject([true, { code: 'CLOSED' }, [name === 'downgrade' ? 'read' : 'write']]);
    await running;
  });
});

describe('a callback that is told to stop', () => {
  it('while its hold is being exchanged hears of it by the new one, too', async () => {
    await using world = await World.open();
    const client = await opened(world);
    world.latency(client, { requestMs: 50, replyMs: 50 });
    const reasons: unknown[] = [];
    const running = client.rwLock('l').read.run(async (reader) => {
      const writer = await reader.tryUpgrade();
      if (!writer?.signal.aborted)
        await new Promise((resolve) => writer?.signal.addEventListener('abort', resolve));
      reasons.push(reader.signal.reason, writer?.signal.reason, writer?.isHeld());
    });
    await world.advance(120); // acquired; the upgrade is on its way
    world.latency(client, {});

    await world.run(client.close(), { limitMs: 1_000 });

    expect(reasons).toMatchObject([{ code: 'CLOSED' }, { code: 'CLOSED' }, true]);
    await running;
  });

  it('and changes its hold after that hears of it by the new one, too', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const seen: unknown[] = [];
    const running = client.rwLock('l').write.run(async (writer) => {
      await new Promise((resolve) => writer.signal.addEventListener('abort', resolve));
      const reader = await writer.downgrade();
      seen.push(reader.signal.reason, reader.isHeld());
    });
    await world.settle();

    await client.close();

    expect(seen).toMatchObject([{ code: 'CLOSED' }, true]);
    await running;
  });
});

describe('a waiter for a read/write lock', () => {
  it.each(['read', 'write'] as const)('to %s whose take was applied unheard is let in', async (mode) => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const writer = await other.rwLock('l').write.acquire();
    world.dropReply(client, { method: 'txn', where: isTake });
    const waiting = world.run<Hold>(client.rwLock('l')[mode].acquire());
    await writer.release();
    await using hold = await waiting;
    expect(hold.isHeld()).toBe(true);
    expect(await modes(world)).toEqual([mode]);
  });

  it('that gives up lets in the readers behind it', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    await using reader = await client.rwLock('l').read.acquire();
    const caller = new AbortController();
    const writing = outcome(other.rwLock('l').write.acquire({ signal: caller.signal }));
    await world.settle();
    const behind = client.rwLock('l').read.acquire();
    await world.settle();

    caller.abort('enough');

    await using next = await behind;
    expect(await writing).toBe('enough');
    expect(reader.isHeld() && next.isHeld()).toBe(true);
  });

  it('whose session is lost rejects, and the readers behind it are let in', async () => {
    await using world = await World.open();
    const [client, dead] = [await opened(world), await opened(world)];
    await using reader = await client.rwLock('l').read.acquire();
    const writing = outcome(dead.rwLock('l').write.acquire());
    await world.settle();
    const behind = client.rwLock('l').read.acquire();
    await world.settle();

    await world.expireSession(dead);

    await using next = await behind;
    expect(await writing).toMatchObject({ code: 'SESSION_LOST' });
    expect(reader.isHeld() && next.isHeld()).toBe(true);
  });

  it('is not granted while its session is suspect', async () => {
    await using world = await World.open();
    const client = await opened(world, 9_000);
    world.jumpWall(client, 60_000);
    world.latency(client, { replyMs: 200 });

    const reading = watched(world, client.rwLock('l').read.acquire());
    await world.advance(200);
    expect(reading.isIn).toBe(false);
    await world.advance(1_000);
    world.latency(client, {});
    await world.advance(1_000);

    await using hold = await reading.promise;
    expect(hold.isHeld()).toBe(true);
  });

  it('is one of many in a process, and each gets its turn, in order', async () => {
    await using world = await World.open();
    const client = await opened(world);
    const lock = client.rwLock('l');
    const story: string[] = [];
    let readers = 0;
    let writers = 0;
    const use = (mode: 'read' | 'write', number: number): Promise<void> =>
      lock[mode].run(async () => {
        if (mode === 'read') readers++;
        else writers++;
        story.push(`${mode} ${number}`);
        expect(writers === 0 || (writers === 1 && readers === 0)).toBe(true);
        await world.store.get('elsewhere');
        if (mode === 'read') readers--;
        else writers--;
      });
    const wanted = Array.from({ length: 60 }, (_, i) => (i % 4 === 1 ? 'write' : 'read'));

    await Promise.all(wanted.map(use));

    expect(story).toHaveLength(60);
    const order = story.map((line) => Number(line.split(' ')[1]));
    const writersInOrder = order.filter((i) => wanted[i] === 'write');
    expect(writersInOrder).toEqual([...writersInOrder].sort((a, b) => a - b));
    expect(await modes(world)).toEqual([]);
  });
});

it('a removal that lands late hits no newer ticket of a read/write lock', async () => {
  await using world = await World.open();
  const client = await opened(world);
  const reader = await client.rwLock('l').read.acquire();
  world.delayRequest(client, { method: 'txn', where: isRemoval, ms: 20_000 });
  await world.run(reader.release());
  await using next = await client.rwLock('l').write.acquire();

  await world.advance(30_000);

  expect((await standing(world, rwLine('l'))).map(({ key }) => key)).toEqual([next.key]);
});
