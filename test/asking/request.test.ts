import { describe, expect, it } from 'vitest';
import { type Conclave, prefix, put, ReleaseRequest, UnsupportedError } from '../../src/index.js';
import { encodeTicket } from '../../src/session/ticket-value.js';
import { World } from '../../src/testing/index.js';
import { outcome } from '../lock/observe.js';
import { marks, tells, two } from './fixture.js';

const please = { reason: 'deploy', deadlineMs: 10_000 };

describe('a holder that is asked', () => {
  it('is told who asks, why, and by when, and goes on holding', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();

    const asked = await asker.requestRelease('mutex', 'm', please);
    await world.settle();

    expect(asked).toMatchObject([
      { key: hold.key, fencingToken: hold.fencingToken, holder: { name: 'holder' } },
    ]);
    const request: unknown = hold.releaseRequested.reason;
    expect(request).toBeInstanceOf(ReleaseRequest);
    expect(request).toMatchObject({
      by: { name: 'asker' },
      reason: 'deploy',
      deadlineMs: 10_000,
      message: expect.stringMatching(
        /asked for by asker \(.*\): deploy; wanted by 2023-11-14T.*Z$/,
      ) as unknown,
    });
    expect([hold.isHeld(), hold.signal.aborted]).toEqual([true, false]);
  });

  it('is told no deadline if none was said', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    await asker.requestRelease('mutex', 'm', { reason: 'deploy', deadlineMs: Infinity });
    await world.settle();
    const { deadlineMs, message } = hold.releaseRequested.reason as ReleaseRequest;
    expect([deadlineMs, message]).toEqual([undefined, expect.stringMatching(/: deploy$/)]);
  });

  it('is told of the first request, and not of those after it', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    let times = 0;
    hold.releaseRequested.addEventListener('abort', () => times++);
    await asker.requestRelease('mutex', 'm', { reason: 'first' });
    await asker.requestRelease('mutex', 'm', { reason: 'second' });
    await world.settle();
    expect([times, (hold.releaseRequested.reason as ReleaseRequest).reason]).toEqual([1, 'first']);
  });

  it('stays asked when whoever asks has gone', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    await asker.requestRelease('mutex', 'm', please);
    await asker.close();
    await world.settle();
    expect(hold.releaseRequested.aborted).toBe(true);
    expect(await marks(world, 'ask')).toEqual([]);
  });

  it('leaves no trace of the request when it gives back, with one round trip as always', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    await asker.requestRelease('mutex', 'm', please);
    await world.settle();
    expect(await marks(world, 'ask')).toHaveLength(1);
    const before = world.calls(holder).length;

    await hold.release();

    expect(
      world
        .calls(holder)
        .slice(before)
        .map(({ method }) => method),
    ).toEqual(['txn']);
    expect(await marks(world, 'ask')).toEqual([]);
  });

  it('leaves no trace of a request that comes while it gives back, nor of one whose news it has not got', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    world.lagWatches(holder, 5_000);
    await asker.requestRelease('mutex', 'm', please);
    await hold.release();
    expect(await marks(world, 'ask')).toEqual([]);
    await world.advance(10_000);
    expect(hold.releaseRequested.aborted).toBe(false);
  });

  it('leaves no trace when it hands over to another task of its own, which is not asked', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    const next = holder.mutex('m').acquire();
    await world.settle();
    await asker.requestRelease('mutex', 'm', please);

    await hold.release();
    await using local = await next;
    await world.settle();

    expect(await marks(world, 'ask')).toEqual([]);
    expect(local.releaseRequested.aborted).toBe(false);
  });

  it('leaves no trace when its ticket is removed by hand', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    await asker.requestRelease('mutex', 'm', please);
    await world.store.remove(hold.key);
    await world.advance(61_000);
    expect(hold.signal.aborted).toBe(true);
    expect(await marks(world, 'ask')).toEqual([]);
  });

  it('hears also what was said before it knew that it holds', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    world.delayReply(holder, { method: 'txn', ms: 500 });
    const acquiring = holder.mutex('m').acquire();
    await world.settle();
    expect(await asker.requestRelease('mutex', 'm', please)).toHaveLength(1);
    await asker.close(); // the request has gone from the store, too
    await world.advance(500);

    await using hold = await acquiring;

    expect(hold.releaseRequested.reason).toMatchObject({ reason: 'deploy' });
  });

  it('hears also what was said while its watch was cut off and its past compacted away', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    world.partition(holder, { refuses: true });
    await asker.requestRelease('mutex', 'm', please);
    await world.store.put('elsewhere', 'x');
    world.compact();

    world.heal(holder);
    await world.advance(5_000); // well before the slow look

    expect(hold.releaseRequested.aborted).toBe(true);
  });

  it('hears by the slow look what its watch did not tell', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    world.lagWatches(holder, 300_000);
    await asker.requestRelease('mutex', 'm', please);
    await world.advance(61_000);
    expect(hold.releaseRequested.aborted).toBe(true);
  });

  it('hears it once for all its holds, if it is reentrant', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const mutex = holder.mutex('m', { reentrant: true });
    const told: boolean[] = [];
    await mutex.run(async (outer) => {
      await mutex.run(async (inner) => {
        await asker.requestRelease('mutex', 'm', please);
        await world.settle();
        told.push(outer.releaseRequested.aborted, inner.releaseRequested.aborted);
      });
      expect(await marks(world, 'ask')).toHaveLength(1); // still held
    });
    expect(told).toEqual([true, true]);
    expect(await marks(world, 'ask')).toEqual([]);
  });

  it('hears it in whichever line of a multi-lock it was said', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.multiLock(['a', 'b']).acquire();
    expect(await asker.requestRelease('mutex', 'b', please)).toMatchObject([{ key: hold.keys[1] }]);
    await world.settle();
    expect(hold.releaseRequested.aborted).toBe(true);
    await hold.release();
    expect(await marks(world, 'ask')).toEqual([]);
  });

  it('is asked as a writer, and as the reader it becomes', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const before = await holder.rwLock('l').write.acquire();
    const writer = await before.downgrade();
    await asker.requestRelease('rwLock', 'l', please);
    await world.settle();
    expect([before.releaseRequested.aborted, writer.releaseRequested.aborted]).toEqual([true, true]);
    await writer.release();

    const asked = await holder.rwLock('l').write.acquire();
    await asker.requestRelease('rwLock', 'l', please);
    await world.settle();
    await using reader = await asked.downgrade();
    expect(reader.releaseRequested.aborted).toBe(true);
  });

  it('is asked as the writer that a reader has become, and not for what was asked of the reader', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const first = await holder.rwLock('l').read.acquire();
    const second = await first.tryUpgrade();
    await asker.requestRelease('rwLock', 'l', please);
    await world.settle();
    expect([first.releaseRequested.aborted, second?.releaseRequested.aborted]).toEqual([true, true]);
    await second?.release();

    const asked = await holder.rwLock('l').read.acquire();
    await asker.requestRelease('rwLock', 'l', please);
    await world.settle();
    const writer = await asked.tryUpgrade();
    expect([asked.releaseRequested.aborted, writer?.releaseRequested.aborted]).toEqual([true, false]);
    expect(await marks(world, 'ask')).toEqual([]);
    await writer?.release();
  });

  it('is asked as a writer also before it knows that it has become one', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await holder.rwLock('l').read.run(async (reader) => {
      world.delayReply(holder, { method: 'txn', ms: 500 });
      const upgrading = reader.tryUpgrade();
      await world.settle();
      await asker.requestRelease('rwLock', 'l', please);
      await world.advance(500);

      expect((await upgrading)?.releaseRequested.reason).toMatchObject({ reason: 'deploy' });
      expect(reader.releaseRequested.reason).toMatchObject({ reason: 'deploy' });
    });
  });

  it('is not asked by what makes no sense', async () => {
    await using world = await World.open();
    const { holder } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    const [session = ''] = (await world.store.get(prefix('conclave/session/'))).kvs
      .map(({ key }) => Buffer.from(key).toString())
      .filter((key) => key.includes(hold.key.split('/').pop()!.split('-')[0]!));
    const ask = `${session}/ask/${hold.key.split('/').pop()!}`;
    for (const value of [
      '',
      'please',
      '[]',
      'null',
      '{"v":1,"reason":"x"}',
      '{"v":1,"by":{},"reason":"x","at":0}',
    ])
      await world.store.put(ask, value);
    await world.settle();
    expect(hold.releaseRequested.aborted).toBe(false);
  });
});

describe('a request', () => {
  it('reaches all readers, and nobody who waits', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const third = await world.client({ holder: 'third' });
    await using one = await holder.rwLock('l').read.acquire();
    await using other = await third.rwLock('l').read.acquire();
    const waiting = asker.rwLock('l').write.acquire();
    await world.settle();

    const asked = await asker.requestRelease('rwLock', 'l', please);
    await world.settle();

    expect(asked.map(({ holder: who }) => who?.name)).toEqual(['holder', 'third']);
    expect([one, other].map((hold) => hold.releaseRequested.aborted)).toEqual([true, true]);
    await one.release();
    await other.release();
    await using writer = await waiting;
    expect(writer.releaseRequested.aborted).toBe(false);
  });

  it.each([
    ['semaphore', (client: Conclave) => client.semaphore('s', { limit: 2 }).acquire(), 's'],
    ['election', (client: Conclave) => client.election('e').campaign('me'), 'e'],
    ['mutex', (client: Conclave) => client.mutex({ path: '/raw' }).acquire(), { path: '/raw' }],
  ] as const)('reaches who holds a %s', async (kind, acquire, place) => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await acquire(holder);
    expect(await asker.requestRelease(kind, place, please)).toHaveLength(1);
    await world.settle();
    expect(hold.releaseRequested.aborted).toBe(true);
  });

  it('reaches a holder of another namespace, on a path that both share', async () => {
    await using world = await World.open();
    const holder = await world.client({ namespace: 'shop' });
    const asker = await world.client({ namespace: 'ops' });
    const hold = await holder.mutex({ path: '/raw' }).acquire();
    await asker.requestRelease('mutex', { path: '/raw' }, please);
    await world.settle();
    expect(hold.releaseRequested.aborted).toBe(true);
    await hold.release();
    expect((await world.store.get(prefix('shop/session/'))).count).toBe(1);
  });

  it('finds nobody, and then opens no session', async () => {
    await using world = await World.open();
    const asker = await world.client();
    expect(await asker.requestRelease('mutex', 'm', please)).toEqual([]);
    expect(world.calls(asker).map(({ method }) => method)).toEqual(['get']);
  });

  it('cannot reach another program, says so, and then reaches nobody', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    world.allowKeys('/raw');
    await world.store.put('/raw/694d', '');
    const refused = await outcome(asker.requestRelease('mutex', { path: '/raw' }, please));
    expect(refused).toBeInstanceOf(UnsupportedError);
    expect(refused).toMatchObject({
      message: expect.stringMatching(/\/raw\/694d .*forceRelease/) as unknown,
    });

    await using hold = await holder.rwLock('l').read.acquire();
    const [session] = (await world.store.get(prefix('conclave/session/'))).kvs;
    const value = encodeTicket({ name: 'x', host: 'h', pid: 1, ns: 'n' }, 0, { mode: 'read' });
    const foreign = value.replace(/"holder":\{.*?\},/, '');
    await world.store.do(put('conclave/rw/l/zz', foreign, { lease: session?.lease ?? 0n }));
    expect(await outcome(asker.requestRelease('rwLock', 'l', please))).toBeInstanceOf(UnsupportedError);
    await world.settle();
    expect(hold.releaseRequested.aborted).toBe(false);
    await world.store.remove('conclave/rw/l/zz');
  });

  it('that arrives after another has taken the lock reaches nobody', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const third = await world.client();
    const hold = await holder.mutex('m').acquire();
    const waiting = third.mutex('m').acquire();
    await world.settle();
    world.delayRequest(asker, { method: 'txn', where: tells('ask'), ms: 1_000, isSilent: true });
    const asking = asker.requestRelease('mutex', 'm', please);
    await world.settle();
    await hold.release();
    await using next = await waiting;
    await world.advance(2_000);

    expect(await asking).toEqual([]);
    expect(next.releaseRequested.aborted).toBe(false);
    expect(await marks(world, 'ask')).toEqual([]);
  });

  it('whose answer was lost is known to have been done', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    world.dropReply(asker, { method: 'txn', where: tells('ask') });
    expect(await world.run(asker.requestRelease('mutex', 'm', please))).toHaveLength(1);
    expect(hold.releaseRequested.aborted).toBe(true);
  });

  it('that was lost itself is sent again', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    await using hold = await holder.mutex('m').acquire();
    world.dropRequest(asker, { method: 'txn', where: tells('ask') });
    expect(await world.run(asker.requestRelease('mutex', 'm', please))).toHaveLength(1);
    await world.settle();
    expect(hold.releaseRequested.aborted).toBe(true);
  });

  it('of which a late copy comes does not take the place of a newer one, and comes back for nobody', async () => {
    await using world = await World.open();
    const { holder, asker } = await two(world);
    const hold = await holder.mutex('m').acquire();
    world.repeatRequest(asker, { method: 'txn', where: tells('ask'), ms: 5_000 });
    await world.run(asker.requestRelease('mutex', 'm', { reason: 'first' }));
    await world.run(asker.requestRelease('mutex', 'm', { reason: 'second' }));
    const [key = ''] = await marks(world, 'ask');
    await world.advance(6_000);
    expect(Buffer.from((await world.store.get(key)).kvs[0]!.value).toString()).toContain('"second"');

    world.repeatRequest(asker, { method: 'txn', where: tells('ask'), ms: 5_000 });
    await world.run(asker.requestRelease('mutex', 'm', { reason: 'third' }));
    await hold.release();
    await using next = await holder.mutex('m').acquire();
    await world.advance(6_000);
    expect(await marks(world, 'ask')).toEqual([]);
    expect(next.releaseRequested.aborted).toBe(false);
  });

  it('reports a store that is away as UNAVAILABLE within its time', async () => {
    await using world = await World.open();
    const asker = await world.client({ dialTimeoutMs: 2_000 });
    world.partition(asker, { refuses: true });
    const before = world.now();
    expect(await world.run(outcome(asker.requestRelease('mutex', 'm', please)))).toMatchObject({
      code: 'UNAVAILABLE',
    });
    expect(world.now() - before).toBeLessThanOrEqual(2_000);
  });

  it('is refused after close', async () => {
    await using world = await World.open();
    const asker = await world.client();
    await asker.close();
    expect(await outcome(asker.requestRelease('mutex', 'm', please))).toMatchObject({ code: 'CLOSED' });
    expect(await outcome(asker.forceRelease('mutex', 'm', please))).toMatchObject({ name: 'TypeError' });
    expect(await outcome(asker.forceRelease('mutex', 'm', { reason: 'x' }))).toMatchObject({
      code: 'CLOSED',
    });
  });
});
