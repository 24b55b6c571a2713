import { describe, expect, it } from 'vitest';
import { connect, type ConnectOptions, type Place, type Hold, type LineKind } from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome } from './observe.js';

describe('connect', () => {
  it.each([
    null,
    undefined,
    5,
    {},
    'localhost:2379',
    { endpoints: 'http://127.0.0.1:2379' },
    { endpoints: [5] },
    { endpoints: ['memory:', 'memory:'] },
    { endpoints: ['memory:'], namespace: null },
    { endpoints: ['memory:'], holder: 5 },
  ])('refuses %j with a TypeError of its own', async (target) => {
    expect(await outcome(connect(target as ConnectOptions))).toMatchObject({
      name: 'TypeError',
      message: expect.stringMatching(/endpoint|target|expected|combined|namespace|holder/) as unknown,
    });
  });

  it.each([1, 1e15, Infinity, '5000'])(
    'refuses a TTL of %j, and holds on to no shared engine',
    async (ttl) => {
      const options = { endpoints: ['memory:bad-arguments'], sessionTtlMs: ttl as number };
      expect(await outcome(connect(options))).toBeInstanceOf(RangeError);
      const first = await connect('memory:bad-arguments');
      await first.store.put('left', 'behind');
      await first.close(); // the last user: the engine ends

      await using second = await connect('memory:bad-arguments');

      expect((await second.store.get('left')).kvs).toEqual([]);
    },
  );
});

describe('before anything is sent', () => {
  it.each([null, undefined, 5, {}, { path: 5 }, []])('mutex refuses %j as a name', async (place) => {
    await using world = await World.open();
    const client = await world.client();

    expect(() => client.mutex(place as Place)).toThrow(/expected a name, or { path }/);
  });

  it('run refuses what is no function', async () => {
    await using world = await World.open();
    const client = await world.client();

    const running = client.mutex('m').run('work' as unknown as (hold: Hold) => Promise<void>);

    expect(await outcome(running)).toBeInstanceOf(TypeError);
    expect(world.calls(client)).toEqual([]);
  });

  it.each(['lock', 'toString'])('list refuses the kind %s', async (kind) => {
    await using world = await World.open();
    const client = await world.client();

    expect(await outcome(client.list({ kind: kind as LineKind }).next())).toBeInstanceOf(TypeError);
    expect(world.calls(client)).toEqual([]);
  });

  it.each([null, { kinds: 'mutex' }])('list refuses the options %j', async (options) => {
    await using world = await World.open();
    const client = await world.client();

    expect(await outcome(client.list(options as object).next())).toMatchObject({
      name: 'TypeError',
      message: expect.stringMatching(/^list: .*option/) as unknown,
    });
  });

  it('null is no time, no number of permits, and no way to say nothing', async () => {
    await using world = await World.open();
    const client = await world.client();
    const given = (name: string): object => ({ [name]: null });
    const election = client.election('e');
    const attempts = [
      client.mutex('m').acquire(given('timeoutMs')),
      client.mutex('m').tryAcquire(given('signal')),
      client.semaphore('s', { limit: 2 }).acquire(given('permits')),
      client.semaphore('s', { limit: 2 }).tryAcquire(given('permits')),
      election.campaign('v', given('timeoutMs')),
      election.lead(() => {}, given('pauseMs')),
      election.lead(() => {}, given('drainTimeoutMs')),
      client.health(given('timeoutMs')),
    ].map(outcome);

    for (const attempt of attempts) expect(await attempt).toBeInstanceOf(TypeError);
    expect(await outcome(client.withSession(given('ttlMs')))).toBeInstanceOf(RangeError);
    expect(world.calls(client)).toEqual([]);
  });

  it.each([
    [{ kind: 'lock' }, /kind must be one of mutex/],
    [{ kind: 'toString' }, /kind/],
    [{ place: '' }, /name/],
    [{ place: { path: '' } }, /path/],
    [{ options: null }, /options/],
    [{ options: { reason: 5 } }, /reason/],
    [{ options: { reason: ' ' } }, /reason/],
    [{ options: { reason: 'x', deadline: 5 } }, /unknown option "deadline"/],
  ])('requestRelease and forceRelease refuse %j', async (given, message) => {
    await using world = await World.open();
    const client = await world.client();
    const { kind, place, options } = {
      ...{ kind: 'mutex', place: 'm', options: { reason: 'x' } },
      ...given,
    } as Args;

    for (const attempt of [
      outcome(client.requestRelease(kind, place, options)),
      outcome(client.forceRelease(kind, place, options)),
    ]) {
      expect(await attempt).toBeInstanceOf(TypeError);
      expect(await attempt).toMatchObject({ message: expect.stringMatching(message) as unknown });
    }
    expect(world.calls(client)).toEqual([]);
  });

  it('requestRelease refuses a deadline that is none, forceRelease a ticket of another line', async () => {
    await using world = await World.open();
    const client = await world.client();

    for (const deadlineMs of [-1, NaN, 2 ** 31])
      expect(await outcome(client.requestRelease('mutex', 'm', { reason: 'x', deadlineMs }))).toBeInstanceOf(
        RangeError,
      );
    for (const ticket of ['', 'conclave/lock/m/', 'conclave/lock/other/1-1', 'conclave/semaphore/m/1-1', 5]) {
      const force = { reason: 'x', ticket: ticket as string };
      expect(await outcome(client.forceRelease('mutex', 'm', force))).toBeInstanceOf(TypeError);
    }
    expect(
      await outcome(
        client.forceRelease('semaphore', 's', { reason: 'x', ticket: 'conclave/semaphore/s/limit' }),
      ),
    ).toBeInstanceOf(TypeError);
    expect(world.calls(client)).toEqual([]);
  });

  it('health refuses options that are none', async () => {
    await using world = await World.open();
    const client = await world.client();

    expect(await outcome(client.health({ timeoutMs: NaN }))).toBeInstanceOf(RangeError);
    expect(await outcome(client.health({ timeout: 5 } as object))).toBeInstanceOf(TypeError);
    expect(world.calls(client)).toEqual([]);
  });
});

interface Args {
  readonly kind: LineKind;
  readonly place: Place;
  readonly options: { readonly reason: string };
}
