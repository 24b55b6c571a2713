import { describe, expect, it } from 'vitest';
import type { Conclave, Mutex } from '../../src/index.js';
import { Hold } from '../../src/session/hold.js';
import { World } from '../../src/testing/index.js';
import {
  delayOf,
  fates,
  fullAfter,
  isMark,
  isRemoval,
  isTake,
  mutexLine,
  opened,
  standing,
  watched,
} from './lines.js';
import { outcome } from './observe.js';

const lockDelayMs = 4_000;
const mutex = (client: Conclave, name = 'm'): Mutex => client.mutex(name, { lockDelayMs });
/** Whose ticket is named as that of the last holder. */
const marker = async (world: World, name = 'm'): Promise<string | undefined> => {
  const [kv] = (await world.store.get(delayOf(name))).kvs;
  return kv && Buffer.from(kv.value).toString();
};
const tickets = async (world: World): Promise<string[]> =>
  (await standing(world, mutexLine('m'))).map(({ key }) => key);

/** A holder whose session ends, as if it had crashed. */
const crashed = async (world: World, name = 'm'): Promise<Hold> => {
  const client = await opened(world);
  const hold = await mutex(client, name).acquire();
  await world.expireSession(client);
  return hold;
};

describe('a lock delay', () => {
  it('makes who waits for a holder that crashes wait that much longer', async () => {
    await using world = await World.open();
    const [holder, client] = [await opened(world, 5_000), await opened(world)];
    const hold = await mutex(holder).acquire();
    const next = watched(world, mutex(client).acquire());
    const impatient = watched(world, client.mutex('other').acquire());
    await world.settle();
    expect(await marker(world)).toBe(hold.key);

    world.crash(holder);
    while ((await tickets(world)).includes(hold.key)) await world.advance(100);
    const goneAt = world.now();
    await world.advance(lockDelayMs - 100);
    expect(next.isIn).toBe(false);
    await world.advance(200);

    expect(next.at - goneAt).toBeGreaterThan(lockDelayMs - 200);
    const granted = await next.promise;
    expect(await marker(world)).toBe(granted.key);
    await granted.release();
    expect(await marker(world)).toBeUndefined();
    await (await impatient.promise).release();
  });

  it('makes who comes after a crash wait, counted from then', async () => {
    await using world = await World.open();
    await crashed(world);
    await world.advance(60_000);

    const next = watched(world, mutex(await opened(world)).acquire());
    await world.advance(lockDelayMs - 1);
    expect(next.isIn).toBe(false);
    await world.advance(1);

    expect(next.isIn).toBe(true);
    await (await next.promise).release();
  });

  it.each([
    ['another process', false],
    ['another task of this process', true],
  ])('does not make %s wait after a release', async (_, isLocal) => {
    await using world = await World.open();
    const client = await opened(world);
    const other = isLocal ? client : await opened(world);
    const hold = await mutex(client).acquire();
    const next = watched(world, mutex(other).acquire());
    await world.settle();

    await hold.release();
    await world.settle();

    expect(next.at).toBe(world.now());
    const granted = await next.promise;
    expect(await marker(world)).toBe(granted.key);
    await granted.release();
    expect(await marker(world)).toBeUndefined();
    await using after = await mutex(client).acquire();
    expect(after.isHeld()).toBe(true);
  });

  it('makes the next one wait, too, if a successor crashes while it waits', async () => {
    await using world = await World.open();
    const first = await crashed(world);
    const successor = await opened(world);
    const waiting = outcome(mutex(successor).acquire());
    const next = watched(world, mutex(await opened(world)).acquire());
    await world.advance(lockDelayMs - 1_000);

    await world.expireSession(successor);
    expect(await waiting).toMatchObject({ code: 'SESSION_LOST' });
    expect(await marker(world)).toBe(first.key);
    await world.advance(lockDelayMs - 1);
    expect(next.isIn).toBe(false);
    await world.advance(1);

    expect(next.isIn).toBe(true);
    await (await next.promise).release();
  });

  it('is no matter of who crashes before it was granted anything', async () => {
    await using world = await World.open();
    const [holder, waiter] = [await opened(world), await opened(world)];
    const hold = await holder.mutex('m').acquire(); // leaves no trace
    const waiting = outcome(mutex(waiter).acquire());
    await world.settle();
    await world.expireSession(waiter);
    await hold.release();

    await using next = await mutex(await opened(world)).acquire(); // without time passing

    expect(await waiting).toMatchObject({ code: 'SESSION_LOST' });
    expect(next.isHeld()).toBe(true);
  });

  it('is over for a process that gives up before and tries again, counted from its first attempt', async () => {
    await using world = await World.open();
    await crashed(world);
    const client = await opened(world);
    const attempt = (): Promise<unknown> =>
      world.run(outcome(mutex(client).acquire({ timeoutMs: lockDelayMs / 2 - 1 })));
    const startedAt = world.now();
    expect(await attempt()).toMatchObject({ code: 'WAIT_TIMEOUT' });
    expect(await attempt()).toMatchObject({ code: 'WAIT_TIMEOUT' });

    const hold = (await attempt()) as Hold;

    expect(hold.isHeld()).toBe(true);
    expect(world.now() - startedAt).toBe(lockDelayMs);
    await world.expireSession(client);
    expect(await attempt()).toMatchObject({ code: 'WAIT_TIMEOUT' }); // that one has crashed just now
    await (await world.run(mutex(client).acquire())).release();
    expect(await marker(world)).toBeUndefined();
  });

  it('begins anew for each who crashes', async () => {
    await using world = await World.open();
    await crashed(world);
    const second = await opened(world);
    const hold = await world.run(mutex(second).acquire());
    expect(await marker(world)).toBe(hold.key);
    await world.expireSession(second);

    const third = watched(world, mutex(await opened(world)).acquire());
    await world.advance(lockDelayMs - 1);
    expect(third.isIn).toBe(false);
    await world.advance(1);

    await (await third.promise).release();
  });

  it('is honoured by those alone who name it, and they alone remove its traces', async () => {
    await using world = await World.open();
    const { key } = await crashed(world);
    const client = await opened(world);

    await (await client.mutex('m').acquire()).release();
    expect(await mutex(client).tryAcquire()).toBeUndefined();
    const waiting = outcome(mutex(client).acquire({ timeoutMs: 1_000 }));
    await world.advance(1_000);

    expect(await waiting).toMatchObject({ code: 'WAIT_TIMEOUT' });
    await world.settle();
    expect(await marker(world)).toBe(key);
    expect(await tickets(world)).toEqual([]);
    await (await world.run(mutex(client).acquire())).release();
    expect(await marker(world)).toBeUndefined();
  });

  it('counts as part of the wait, whose timeout says so', async () => {
    await using world = await World.open();
    const { key } = await crashed(world);
    const client = await opened(world);
    const waiting = outcome(mutex(client).acquire({ timeoutMs: lockDelayMs - 1 }));
    await world.advance(lockDelayMs - 1);

    expect(await waiting).toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining(`the last holder (${key}) has not given it back`) as unknown,
    });
    await world.advance(0);
    expect(await tickets(world)).toEqual([]);
    await (await world.run(mutex(client).acquire())).release();
  });

  it.each(['a signal', 'close', 'the end of the session', 'a removal of the ticket'])(
    'is ended by %s, and nothing stays but the trace of the crash',
    async (cause) => {
      await using world = await World.open();
      world.allowKeys(delayOf('m'));
      const { key } = await crashed(world);
      const client = await opened(world);
      const caller = new AbortController();
      const waiting = outcome(mutex(client).acquire({ signal: caller.signal }));
      await world.advance(1_000);
      const [mine] = await tickets(world);

      if (cause === 'a signal') caller.abort({ code: 'enough' });
      if (cause === 'close') await client.close();
      if (cause === 'the end of the session') await world.expireSession(client);
      if (cause === 'a removal of the ticket') await world.store.remove(mine ?? '');
      await world.advance(lockDelayMs);

      const codes = ['enough', 'CLOSED', 'SESSION_LOST', 'CONFLICT'];
      expect(codes).toContain(((await waiting) as { code: string }).code);
      expect(await tickets(world)).toEqual([]);
      expect(await marker(world)).toBe(key);
    },
  );

  it('grants nothing while the session is suspect', async () => {
    await using world = await World.open();
    await crashed(world);
    const client = await opened(world, 9_000);
    const next = watched(world, mutex(client).acquire());
    await world.advance(lockDelayMs - 100);
    world.latency(client, { replyMs: 1_000 });
    world.jumpWall(client, 60_000);

    await world.advance(1_200); // the marker is put and answered; a renewal sent after the jump is not
    expect(next.isIn).toBe(false);
    await world.advance(3_000);
    world.latency(client, {});
    await world.advance(1_000);

    expect(next.isIn).toBe(true);
    await (await next.promise).release();
  });

  it('leaves no trace of a take that a full store has done all the same', async () => {
    await using world = await World.open();
    const client = await opened(world);
    fullAfter(world, isTake);

    expect(await outcome(mutex(client).acquire())).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });

    expect(await tickets(world)).toEqual([]);
    expect(await marker(world)).toBeUndefined();
    await using hold = await mutex(client).acquire();
    expect(hold.isHeld()).toBe(true);
  });

  it('that cannot be marked because the store is full ends the wait, and lets those behind go on', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world), await opened(world)];
    const hold = await mutex(other).acquire();
    const waiting = outcome(mutex(client).acquire());
    await world.settle();
    world.engine.noSpace = true;

    await hold.release();

    expect(await world.run(waiting)).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(await tickets(world)).toEqual([]);
    world.engine.noSpace = false;
  });
});

describe.each(fates)('with a lock delay a take %s', (_, strike) => {
  it.each(['acquire', 'tryAcquire'] as const)(
    'is held by %s, or not done in time, and leaves nothing after that, ever',
    async (method) => {
      await using world = await World.open();
      const client = await opened(world, 60_000);
      const fault = strike(world, client, { method: 'txn', where: isTake });

      const hold = await world.run(outcome(mutex(client)[method]()));

      expect(fault.hasFired).toBe(true);
      if (hold instanceof Hold) {
        expect(await tickets(world)).toEqual([hold.key]);
        expect(await marker(world)).toBe(hold.key);
        await hold.release();
      } else {
        expect(hold).toMatchObject({ code: 'UNAVAILABLE' }); // it does not wait that long
        expect(method).toBe('tryAcquire');
      }
      await world.advance(30_000);
      expect(await tickets(world)).toEqual([]);
      expect(await marker(world)).toBeUndefined();
    },
  );

  it('that finds the trace of a crash is not taken by tryAcquire, and leaves nothing', async () => {
    await using world = await World.open();
    world.allowKeys(delayOf('m'));
    const { key } = await crashed(world);
    const client = await opened(world, 60_000);
    strike(world, client, { method: 'txn', where: isTake });

    const tried = await world.run(outcome(mutex(client).tryAcquire()));
    if (tried !== undefined) expect(tried).toMatchObject({ code: 'UNAVAILABLE' });

    await world.advance(30_000);
    expect(await tickets(world)).toEqual([]);
    expect(await marker(world)).toBe(key);
  });
});

describe.each(fates)('a mark %s', (_, strike) => {
  it('after a release makes a hold that a release ends without a trace', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const hold = await mutex(other).acquire();
    const waiting = mutex(client).acquire();
    await world.settle();
    const fault = strike(world, client, { method: 'txn', where: isMark });
    await hold.release();

    const next = await world.run(waiting);

    expect(fault.hasFired).toBe(true);
    expect(await marker(world)).toBe(next.key);
    await next.release();
    await world.advance(30_000);
    expect(await marker(world)).toBeUndefined();
  });

  it('after a crash does not shorten the delay, and overwrites no other mark', async () => {
    await using world = await World.open();
    await crashed(world);
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const begun = world.now();
    const waiting = watched(world, mutex(client).acquire());
    await world.advance(lockDelayMs - 1);
    const fault = strike(world, client, { method: 'txn', where: isMark });

    const hold = await world.run(waiting.promise);

    expect(fault.hasFired).toBe(true);
    expect(waiting.at - begun).toBeGreaterThanOrEqual(lockDelayMs);
    expect(await marker(world)).toBe(hold.key);
    await hold.release();
    await using next = await world.run(mutex(other).acquire());
    await world.advance(30_000);
    expect(await marker(world)).toBe(next.key);
  });

  it('that is given up leaves nothing, also when it comes late', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const hold = await mutex(other).acquire();
    const caller = new AbortController();
    const waiting = outcome(mutex(client).acquire({ signal: caller.signal }));
    await world.settle();
    const fault = strike(world, client, { method: 'txn', where: isMark });
    world.latency(client, { replyMs: 10 });
    await hold.release();
    await world.advance(12); // it has heard of that, and the mark is on its way

    caller.abort('enough');

    expect(fault.hasFired).toBe(true);
    expect(await waiting).toBe('enough'); // at once, whatever the mark is up to
    await world.advance(30_000);
    expect(await tickets(world)).toEqual([]);
    expect(await marker(world)).toBeUndefined();
  });
});

describe.each(fates)('a release %s', (_, strike) => {
  it('removes the mark once, and no other', async () => {
    await using world = await World.open();
    const [client, other] = [await opened(world, 60_000), await opened(world, 60_000)];
    const hold = await mutex(client).acquire();
    strike(world, client, { method: 'txn', where: isRemoval });

    await world.run(hold.release());

    expect(await marker(world)).toBeUndefined();
    await using next = await mutex(other).acquire();
    await world.advance(30_000);
    expect(await marker(world)).toBe(next.key);
  });
});

describe('a multi-lock with a lock delay', () => {
  it('waits once, however many of its locks somebody held who has crashed', async () => {
    await using world = await World.open();
    const holder = await opened(world);
    await holder.multiLock(['a', 'b', 'c'], { lockDelayMs }).acquire();
    await world.expireSession(holder);
    const client = await opened(world);

    const next = watched(world, client.multiLock(['c', 'd', 'b', 'a'], { lockDelayMs }).acquire());
    await world.advance(lockDelayMs - 1);
    expect(next.isIn).toBe(false);
    await world.advance(1);

    expect(next.isIn).toBe(true);
    const hold = await next.promise;
    expect(await Promise.all(['c', 'd', 'b', 'a'].map((name) => marker(world, name)))).toEqual(hold.keys);
    await hold.release();
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((name) => marker(world, name)))).toEqual(
      Array(4).fill(undefined),
    );
  });

  it('waits for one of its locks alone', async () => {
    await using world = await World.open();
    await crashed(world, 'b');
    const client = await opened(world);

    const next = watched(world, client.multiLock(['a', 'b'], { lockDelayMs }).acquire());
    await world.advance(lockDelayMs - 1);
    expect(next.isIn).toBe(false);
    expect(await client.multiLock(['a', 'x'], { lockDelayMs }).tryAcquire()).toBeUndefined();
    await world.advance(1);

    await (await next.promise).release();
  });

  it('whose ticket is removed in one line while it waits in another gives up at once', async () => {
    await using world = await World.open();
    world.allowKeys(delayOf('b'));
    await crashed(world, 'b');
    const client = await opened(world);
    const waiting = outcome(client.multiLock(['a', 'b'], { lockDelayMs }).acquire({ timeoutMs: 60_000 }));
    await world.advance(1_000);
    const [mine] = await standing(world, mutexLine('b'));
    await world.store.remove(mine?.key ?? '');
    await world.advance(lockDelayMs);

    expect(await waiting).toMatchObject({ code: 'CONFLICT' });
    expect(await marker(world, 'a')).toBeUndefined();
    expect(await standing(world, mutexLine('a'))).toEqual([]);
  });

  it.each(fates)('whose take is one %s has all of it or nothing', async (_, strike) => {
    await using world = await World.open();
    const client = await opened(world, 60_000);
    strike(world, client, { method: 'txn', where: isTake });

    const hold = await world.run(client.multiLock(['a', 'b'], { lockDelayMs }).acquire());

    expect(await Promise.all(['a', 'b'].map((name) => marker(world, name)))).toEqual(hold.keys);
    await hold.release();
    await world.advance(30_000);
    expect(await standing(world, 'conclave/lock/')).toEqual([]);
    expect(await Promise.all(['a', 'b'].map((name) => marker(world, name)))).toEqual([undefined, undefined]);
  });
});

it('a take whose fate is open while the store is full leaves nothing once there is space', async () => {
  await using world = await World.open();
  const client = await opened(world, 60_000);
  world.repeatRequest(client, { method: 'txn', where: isTake, isSilent: true, ms: 20_000 });
  const waiting = outcome(mutex(client).acquire({ timeoutMs: 3_000 }));
  await world.settle(); // it is done, and not answered
  const [mine] = await tickets(world);
  world.engine.noSpace = true;
  await world.advance(8_000);
  expect(await waiting).toMatchObject({ code: 'WAIT_TIMEOUT' });
  expect(await tickets(world)).toEqual([mine]);

  world.engine.noSpace = false;
  await world.advance(2_000);

  expect(await tickets(world)).toEqual([]);
  expect(await marker(world)).toBeUndefined();
  await world.advance(20_000);
  expect(await tickets(world)).toEqual([]);
});
