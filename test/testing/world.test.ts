import { describe, expect, it } from 'vitest';
import { SessionLostError } from '../../src/index.js';
import { LeakError, type Peer, World, type WorldOptions } from '../../src/testing/index.js';
import { Inbox, watchOf } from './inbox.js';

/** What disposing the world complains of. */
async function leaksOf(world: World): Promise<readonly string[]> {
  try {
    await world[Symbol.asyncDispose]();
    return [];
  } catch (error) {
    if (error instanceof LeakError) return error.leaks;
    throw error;
  }
}

describe('a world that ends', () => {
  it('is content with clients that hold locks: closing them gives everything back', async () => {
    const world = await World.open();
    const client = await world.client();
    await client.mutex('m').acquire();
    const waiting = (await world.client()).mutex('m').acquire();
    waiting.catch(() => {});
    expect(await leaksOf(world)).toEqual([]);
  });

  it('heals, resumes and wakes before it closes', async () => {
    const world = await World.open();
    const clients = await Promise.all([world.client(), world.client(), world.client()]);
    for (const [i, client] of clients.entries()) await client.mutex(`m${i}`).acquire();
    const [cut, paused] = clients;
    world.partition(cut);
    world.pause(paused);
    world.silence('member-2');
    world.staleTerms(cut);
    await world.advance(1_000);
    expect(await leaksOf(world)).toEqual([]);
  });

  it('finds a key', async () => {
    const world = await World.open();
    await world.client();
    await world.store.put('conclave/forgotten', 'x');
    await world.store.put('elsewhere', 'x');
    expect(await leaksOf(world)).toEqual(['key conclave/forgotten']);
  });

  it('lets keys remain that are meant to', async () => {
    const world = await World.open();
    await world.client();
    await world.store.put('conclave/config/a', 'x');
    world.allowKeys('conclave/config/');
    expect(await leaksOf(world)).toEqual([]);
  });

  it('looks below the namespace of each client', async () => {
    const world = await World.open();
    await world.client({ namespace: 'shop' });
    await world.store.put('shop/forgotten', 'x');
    expect(await leaksOf(world)).toEqual(['key shop/forgotten']);
  });

  it('finds a lease, and whose it is', async () => {
    const world = await World.open();
    const client = await world.client({ name: 'billing' });
    const { id } = await client.store.lease.grant({ ttlSeconds: 60 });
    expect(await leaksOf(world)).toEqual([`lease ${id.toString(16)} of billing`]);
  });

  it('finds a timer, and where it was set', async () => {
    const world = await World.open();
    world.peer().runtime.setTimer(5_000, () => {});
    const [leak] = await leaksOf(world);
    expect(leak).toMatch(/^timer of client-1, due in 5000 ms, .*world\.test\.ts/);
  });

  it('finds a stream that nobody closed', async () => {
    const world = await World.open();
    world.peer().transport.watchStream('member-3', new Inbox()).send(watchOf('k'));
    await world.settle();
    expect(await leaksOf(world)).toEqual(['watch stream to member-3 of client-1']);
  });

  it('gives what a fault has left one lease to go away', async () => {
    const world = await World.open();
    const client = await world.client();
    world.dropReply(client, { method: 'leaseGrant' });
    await world.run(client.store.lease.grant({ ttlSeconds: 20 }));
    expect(await leaksOf(world)).toEqual([]);
    expect(world.now()).toBeGreaterThanOrEqual(20_000);
  });

  it('does not count what a crashed client has left, even before its lease has run out', async () => {
    const world = await World.open();
    const client = await world.client();
    await client.mutex('m').acquire();
    world.crash(client);
    expect(await leaksOf(world)).toEqual([]);
    expect(world.now()).toBe(0);
  });

  it('lets late requests arrive first, and finds what they do', async () => {
    const world = await World.open();
    const client = await world.client();
    world.delayRequest(client, { method: 'put', ms: 300_000 });
    await client.store.put('conclave/late', 'x').catch(() => {});
    expect(await leaksOf(world)).toEqual(['key conclave/late']);
  });

  it('can be disposed of twice', async () => {
    const world = await World.open();
    await world[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });
});

describe('run', () => {
  it('lets time pass until the promise settles, and no longer', async () => {
    await using world = await World.open();
    const { runtime } = world.peer();
    const rung = new Promise<string>((resolve) => runtime.setTimer(1_234, () => resolve('rung')));
    expect(await world.run(rung)).toBe('rung');
    expect(world.now()).toBe(1_234);
  });

  it('rejects as the promise does', async () => {
    await using world = await World.open();
    await expect(world.run(Promise.reject(new Error('mine')))).rejects.toThrow('mine');
  });

  it('says who was in what state when its limit is reached', async () => {
    await using world = await World.open();
    const [holder, waiter] = [await world.client(), await world.client({ name: 'waiter' })];
    await using hold = await holder.mutex('m').acquire();
    const waiting = waiter.mutex('m').acquire();
    waiting.catch(() => {});
    world.partition(waiter, { endpoint: 'member-1' });
    await expect(world.run(waiting, { limitMs: 10_000 })).rejects.toThrow(
      /not settled within the limit of 10000 ms(.|\n)*waiter is running, no way to member-1/,
    );
    expect(hold.isHeld()).toBe(true);
  });

  it('refuses what is no promise, and a limit that is no number', async () => {
    await using world = await World.open();
    const called = (() => Promise.resolve()) as unknown as Promise<void>;
    await expect(world.run(called)).rejects.toThrow('run waits for a promise, got function');
    await expect(world.run(Promise.resolve(), { limitMs: NaN })).rejects.toThrow(RangeError);
  });

  it('does not wait for what is real: time rushes on to the limit, and the error says what may be the matter', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 3_000 });
    await using hold = await client.mutex('m').acquire();
    let timer: NodeJS.Timeout | undefined;
    const real = new Promise((resolve) => (timer = setTimeout(resolve, 3_600_000)));
    await expect(world.run(real)).rejects.toThrow(
      /limit of 60000 ms(.|\n)*something real \(I\/O, setTimeout\)/,
    );
    clearTimeout(timer);
    expect(world.now()).toBeGreaterThan(58_000);
    expect(hold.isHeld()).toBe(true);
  });

  it('says so when nothing can ever happen any more', async () => {
    await using world = await World.open();
    await expect(world.run(new Promise(() => {}))).rejects.toThrow(/waits for ever/);
  });
});

describe('sleep', () => {
  it('lasts by the clock of the client, and longer while that is paused', async () => {
    await using world = await World.open();
    const [awake, paused] = [world.peer(), world.peer({ clockRate: 2 })];
    const wokenAt: number[] = [];
    for (const each of [awake, paused]) void world.sleep(each, 1_000).then(() => wokenAt.push(world.now()));
    world.pause(paused);
    await world.advance(3_000);
    world.resume(paused);
    await world.settle();
    expect(wokenAt).toEqual([1_000, 3_000]);
    await world.run(world.sleep(paused, 1_000));
    expect(world.now()).toBe(3_500);
  });

  it('ends with the reason of its signal', async () => {
    await using world = await World.open();
    const stop = new AbortController();
    const slept = world.sleep(await world.client(), 1_000, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(slept).rejects.toThrow('enough');
    await expect(world.sleep(await world.client(), NaN)).rejects.toThrow(RangeError);
  });

  it('never ends after a crash', async () => {
    await using world = await World.open();
    const client = await world.client();
    const slept = world.sleep(client, 1_000);
    world.crash(client);
    await expect(world.run(slept)).rejects.toThrow(/waits for ever/);
  });
});

describe('a client', () => {
  it('passes its lock on once it has crashed and its lease is over', async () => {
    await using world = await World.open();
    const crashed = await world.client({ sessionTtlMs: 3_000 });
    const hold = await crashed.mutex('m').acquire();
    const next = (await world.client()).mutex('m').acquire();
    world.crash(crashed);

    await world.advance(5_000);

    expect(hold.isHeld()).toBe(false);
    await using following = await next;
    expect(following.fencingToken).toBeGreaterThan(hold.fencingToken);
  });

  it('loses its session when the store expires it, and hears of it by its watch', async () => {
    await using world = await World.open();
    const client = await world.client();
    const other = await world.client();
    const [hold, kept] = [await client.mutex('m').acquire(), await other.mutex('n').acquire()];
    await world.expireSession(client);
    expect(hold.signal.reason).toMatchObject({ cause: { reason: 'revoked' } });
    expect(kept.isHeld()).toBe(true);
  });

  it('without a session has none that could expire', async () => {
    await using world = await World.open();
    const client = await world.client();
    await expect(world.expireSession(client)).rejects.toThrow(/no session/);
    expect(() => world.stalledLeaderRevokes(client)).toThrow(/no lease/);
  });

  it('loses every lease to a stalled leader', async () => {
    await using world = await World.open();
    const client = await world.client();
    await using own = await client.withSession({ ttlMs: 30_000 });
    const hold = await client.mutex('m').acquire();
    world.stalledLeaderRevokes(client);
    await world.settle();
    expect([hold.isHeld(), own.isValid()]).toEqual([false, false]);
    expect(own.signal.reason).toBeInstanceOf(SessionLostError);
  });

  it('can be stopped exactly at a probe point', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 3_000 });
    await (await client.mutex('warm-up').acquire()).release();
    const stop = world.onProbe('ticket.take', (peer) => world.pause(peer), { client });
    const acquiring = client.mutex('m').acquire();
    acquiring.catch(() => {});
    await world.advance(10_000);
    expect((await world.store.get('conclave/lock/m/')).count).toBe(0);
    stop.cancel();
    world.resume(client);
    await expect(world.run(acquiring)).rejects.toBeInstanceOf(SessionLostError);
  });

  it('rides out a watch that was compacted away', async () => {
    await using world = await World.open();
    const [holder, waiter] = [await world.client(), await world.client()];
    const hold = await holder.mutex('m').acquire();
    const next = waiter.mutex('m').acquire();
    await world.settle();
    world.compactUnderWatches(waiter);
    await hold.release();
    await using following = await world.run(next);
    expect(following.isHeld()).toBe(true);
  });
});

/** A run with all kinds of faults; what it leaves is its hash. */
async function eventful(options: WorldOptions): Promise<string> {
  await using world = await World.open(options);
  const clients = await Promise.all([1, 2, 3].map(() => world.client({ sessionTtlMs: 3_000 })));
  for (const client of clients) world.latency(client, { requestMs: [1, 40], replyMs: [1, 40] });
  const [one, two] = clients;
  const work = clients.map(async (client) => {
    for (let i = 0; i < 3; i++)
      await client
        .mutex('m')
        .run(async () => {})
        .catch(() => {});
  });
  world.dropReply(one!, { method: 'txn', nth: 2 });
  await world.advance(100);
  world.partition(two!);
  await world.advance(4_000);
  world.heal(two!);
  await world.run(Promise.all(work));
  return world.traceHash();
}

describe('a run', () => {
  it('is the same for the same seed, to the last byte', async () => {
    expect(await eventful({ seed: 11 })).toBe(await eventful({ seed: 11 }));
  });

  it('is another one for another seed', async () => {
    expect(await eventful({ seed: 11 })).not.toBe(await eventful({ seed: 12 }));
  });

  it('does not depend on how the world waits for promises', async () => {
    const manyMicrotasks = async (): Promise<void> => {
      for (let i = 0; i < 200; i++) await Promise.resolve();
    };
    expect(await eventful({ seed: 11, drain: manyMicrotasks })).toBe(await eventful({ seed: 11 }));
  });

  it('can be read afterwards', async () => {
    await using world = await World.open();
    const peer: Peer = world.peer({ name: 'reader' });
    world.partition(peer);
    expect(world.timeline()).toEqual(['0 partition reader']);
  });
});

it('goes the same way without a trace, of which nothing is then kept', async () => {
  const play = async (trace: boolean): Promise<{ at: number; revision: bigint; lines: number }> => {
    await using world = await World.open({ seed: 3, trace });
    const [one, other] = [await world.client({ sessionTtlMs: 2_000 }), await world.client()];
    world.latency(one, { requestMs: [1, 20] });
    await world.run(one.mutex('m').acquire());
    world.crash(one);
    await world.run(other.mutex('m').acquire());
    return { at: world.now(), revision: world.revision, lines: world.timeline().length };
  };
  const traced = await play(true);
  expect(traced.lines).toBeGreaterThan(10);
  expect(await play(false)).toEqual({ ...traced, lines: 0 });
});
