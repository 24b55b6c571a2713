import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  ClosedError,
  isConclaveError,
  type Hold,
  SessionLostError,
  WaitTimeoutError,
} from '../../src/index.js';
import { World } from '../../src/testing/index.js';
import { outcome, ticketsOf } from './observe.js';

describe('a wait', () => {
  it('ends after its time, naming the holder, and leaves no ticket', async () => {
    await using world = await World.open();
    await using hold = await (await world.client({ holder: 'billing-1' })).mutex('m').acquire();
    const waiting = outcome((await world.client()).mutex('m').acquire({ timeoutMs: 1_000 }));
    await world.advance(1_000);

    expect(await waiting).toBeInstanceOf(WaitTimeoutError);
    expect(await waiting).toMatchObject({
      message: expect.stringMatching(
        /^mutex "m" \(conclave\/lock\/m\/\): .* 1000 ms; held by billing-1 .*token/,
      ) as unknown,
    });
    await world.settle();
    expect((await ticketsOf(world, 'm')).map(({ key }) => key)).toEqual([hold.key]);
  });

  it('ends after its time, naming this process if it waits for another task of it', async () => {
    await using world = await World.open();
    const client = await world.client();
    await using hold = await client.mutex('m').acquire();
    const waiting = outcome(client.mutex('m').acquire({ timeoutMs: 1_000 }));
    await world.advance(1_000);

    expect(await waiting).toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining('another task of this process') as unknown,
    });
    expect(hold.isHeld()).toBe(true);
  });

  it('counts its time once, over the local queue and an unreachable store', async () => {
    await using world = await World.open();
    const client = await world.client();
    world.partition(client, { refuses: true });
    const waiting = outcome(client.mutex('m').acquire({ timeoutMs: 20_000 }));

    await world.advance(19_999);
    let isOver = false;
    void waiting.then(() => (isOver = true));
    await world.settle();
    expect(isOver).toBe(false);
    await world.advance(1);

    expect(await waiting).toMatchObject({
      code: 'WAIT_TIMEOUT',
      message: expect.stringContaining('no session') as unknown,
    });
  });

  it('goes on over an unreachable store for as long as it may', async () => {
    await using world = await World.open();
    const client = await world.client();
    world.partition(client, { refuses: true });
    const waiting = client.mutex('m').acquire();
    await world.advance(120_000);

    world.heal(client);
    await world.advance(20_000);

    await using hold = await waiting;
    expect(hold.isHeld()).toBe(true);
  });

  it('ends with the very reason of the signal', async () => {
    await using world = await World.open();
    await using hold = await (await world.client()).mutex('m').acquire();
    const caller = new AbortController();
    const waiting = outcome((await world.client()).mutex('m').acquire({ signal: caller.signal }));
    await world.settle();
    const reason = { not: 'an error' };

    caller.abort(reason);

    expect(await waiting).toBe(reason);
    expect(hold.isHeld()).toBe(true);
  });

  it('in the local queue ends at once, and passes its turn on', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    const caller = new AbortController();
    const second = outcome(client.mutex('m').acquire({ signal: caller.signal }));
    const third = client.mutex('m').acquire();
    await world.settle();

    caller.abort('enough');
    expect(await second).toBe('enough');
    await hold.release();

    await using next = await third;
    expect(next.isHeld()).toBe(true);
  });

  it('ends after its time also while it asks why its ticket is gone', async () => {
    await using world = await World.open();
    await using hold = await (await world.client()).mutex('m').acquire();
    const client = await world.client();
    const waiting = outcome(client.mutex('m').acquire({ timeoutMs: 1_000 }));
    await world.settle();
    const [, mine] = await ticketsOf(world, 'm');
    world.dropRequest(client, { method: 'txn', isSilent: true }); // the question
    const before = world.now();

    await world.store.remove(mine?.key ?? '');

    expect(await world.run(waiting)).toBeInstanceOf(WaitTimeoutError);
    expect(world.now() - before).toBe(1_000);
    expect(hold.isHeld()).toBe(true);
  });

  it('that ends while its ticket is being handed over leaves the line to others', async () => {
    await using world = await World.open();
    const client = await world.client();
    const other = await world.client();
    const hold = await client.mutex('m').acquire();
    const caller = new AbortController();
    const local = outcome(client.mutex('m').acquire({ signal: caller.signal }));
    await world.settle();
    world.delayReply(client, { method: 'txn', nth: 1, ms: 300 });
    const releasing = hold.release();
    await world.advance(100);

    caller.abort('enough');
    await world.advance(1_000);

    await releasing;
    expect(await local).toBe('enough');
    await using next = await other.mutex('m').acquire({ timeoutMs: 1_000 });
    expect(next.isHeld()).toBe(true);
  });

  it.each([Number.NaN, -1, 2 ** 31])('refuses a timeout of %s before anything is sent', async (timeoutMs) => {
    await using world = await World.open();
    const client = await world.client();

    expect(await outcome(client.mutex('m').acquire({ timeoutMs }))).toBeInstanceOf(RangeError);
    expect(world.calls(client)).toEqual([]);
  });

  it('of zero takes a free lock, and does not stand in line for another', async () => {
    await using world = await World.open();
    const client = await world.client();
    await using hold = await client.mutex('free').acquire({ timeoutMs: 0 });
    await using taken = await (await world.client()).mutex('m').acquire();

    expect(await outcome(client.mutex('m').acquire({ timeoutMs: 0 }))).toBeInstanceOf(WaitTimeoutError);

    expect(hold.isHeld()).toBe(true);
    expect((await ticketsOf(world, 'm')).map(({ key }) => key)).toEqual([taken.key]);
  });
});

describe('the signal of a hold', () => {
  it('can be handed to many without a warning, and is left by all', async () => {
    await using world = await World.open();
    const client = await world.client();
    await using hold = await client.mutex('m').acquire();
    const { signal } = hold;
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);

    const names = Array.from({ length: 20 }, (_, i) => `m${i}`);
    const holds = await Promise.all(names.map((name) => client.mutex(name).acquire({ signal })));
    await Promise.all(holds.map((each) => each.release()));
    await world.settle();

    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('without patience', () => {
  it('an unreachable store is UnavailableError after dialTimeoutMs', async () => {
    await using world = await World.open();
    const client = await world.client({ dialTimeoutMs: 3_000 });
    world.partition(client);
    const calls = [outcome(client.mutex('m').tryAcquire()), outcome(client.withSession())];

    await world.advance(3_000);

    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('close', () => {
  it('rejects waiters and new calls', async () => {
    await using world = await World.open();
    await using hold = await (await world.client()).mutex('m').acquire();
    const client = await world.client();
    const waiting = outcome(client.mutex('m').acquire());
    await world.settle();

    await client.close();

    expect(await waiting).toBeInstanceOf(ClosedError);
    for (const call of [client.mutex('x').acquire(), client.mutex('x').tryAcquire(), client.withSession()]) {
      expect(await outcome(call)).toBeInstanceOf(ClosedError);
    }
    expect(hold.isHeld()).toBe(true);
  });

  it('releases by delete, before the lease is revoked', async () => {
    await using world = await World.open();
    const client = await world.client();
    const names = ['a', 'b', 'c'];
    for (const name of names) await client.mutex(name).acquire();
    const before = world.calls(client).length;

    await client.close();

    const sent = world
      .calls(client)
      .slice(before)
      .map(({ method }) => method);
    expect(sent).toEqual(['txn', 'txn', 'txn', 'leaseRevoke']);
  });

  it('tells a running callback to stop while its key stands, and waits for it', async () => {
    await using world = await World.open();
    const client = await world.client();
    const seen: unknown[] = [];
    const running = client.mutex('m').run(async (hold) => {
      await new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
      seen.push(hold.signal.reason, hold.isHeld(), await ticketsOf(world, 'm').then(({ length }) => length));
      return 'done';
    });
    await world.settle();

    await client.close();

    expect(seen).toEqual([expect.any(ClosedError), true, 1]);
    expect(await running).toBe('done');
    expect(await ticketsOf(world, 'm')).toEqual([]);
  });

  it('leaves the key to a callback that does not stop, until its lease ends', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 5_000 });
    let held: Hold | undefined;
    let finish = (): void => {};
    const running = outcome(
      client.mutex('m').run((hold) => {
        held = hold;
        return new Promise<void>((resolve) => (finish = resolve));
      }),
    );
    await world.settle();
    const closing = client.close({ drainTimeoutMs: 1_000 });
    await world.advance(1_000);
    await closing;

    expect(held?.isHeld()).toBe(true);
    expect(await ticketsOf(world, 'm')).toHaveLength(1);
    await world.advance(10_000);
    expect(held?.isHeld()).toBe(false);
    expect(await ticketsOf(world, 'm')).toEqual([]);
    finish();
    expect(await running).toMatchObject({ code: 'HOLD_LOST' });
  });

  it('waits for a callback also when its hold was lost before', async () => {
    await using world = await World.open();
    const client = await world.client();
    let isDone = false;
    const running = outcome(
      client.mutex('m').run(async (hold) => {
        await new Promise((resolve) => hold.signal.addEventListener('abort', resolve));
        await world.store.get('something that takes a moment');
        isDone = true;
      }),
    );
    await world.settle();
    await world.expireSession(client);

    await client.close();

    expect(isDone).toBe(true);
    expect(await running).toMatchObject({ code: 'HOLD_LOST' });
  });

  it('refuses a bad time to drain, and closes nothing', async () => {
    await using world = await World.open();
    const client = await world.client();

    expect(await outcome(client.close({ drainTimeoutMs: Number.NaN }))).toBeInstanceOf(RangeError);

    await using hold = await client.mutex('m').acquire();
    expect(hold.isHeld()).toBe(true);
  });

  it('can be called twice, and is over when the first is', async () => {
    await using world = await World.open();
    const client = await world.client();
    await client.mutex('m').acquire();

    await Promise.all([client.close(), client.close(), client[Symbol.asyncDispose]()]);

    expect((await world.store.lease.list()).leases).toEqual([]);
  });

  it('ends when the store is away, and not later than the drain and one request', async () => {
    await using world = await World.open();
    const client = await world.client({ sessionTtlMs: 6_000 });
    const hold = await client.mutex('m').acquire();
    world.partition(client);

    const closing = client.close({ drainTimeoutMs: 1_000 });
    await world.advance(10_000);

    await closing;
    expect(hold.isHeld()).toBe(false);
  });
});

describe('a session of its own', () => {
  it('stands and falls alone', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession({ ttlMs: 3_000 });
    await using shared = await client.mutex('a').acquire();
    const mine = await own.mutex('b').acquire();
    await world.store.lease.revoke(own.leaseId);
    await world.settle();

    expect(own.isValid()).toBe(false);
    expect(own.signal.reason).toBeInstanceOf(SessionLostError);
    expect(mine.isHeld()).toBe(false);
    expect(shared.isHeld()).toBe(true);
    expect(await outcome(own.mutex('c').acquire())).toBeInstanceOf(SessionLostError);
    expect(await outcome(own.mutex('c').tryAcquire())).toBeInstanceOf(SessionLostError);
  });

  it('shows its loss to a listener of its signal by its holds, too', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    const hold = await own.mutex('m').acquire();
    const seen: unknown[] = [];
    const ends: Promise<unknown>[] = [];
    own.signal.addEventListener('abort', () => {
      seen.push(hold.isHeld(), hold.signal.aborted);
      ends.push(outcome(hold.release()), outcome(hold.commit([])));
    });

    await world.expireSession(client);

    expect(seen).toEqual([false, true]);
    for (const end of await Promise.all(ends))
      expect(end).toMatchObject({ code: 'HOLD_LOST', cause: { reason: 'revoked' } });
  });

  it('closes with the Conclave it came from', async () => {
    await using world = await World.open();
    const client = await world.client();
    const own = await client.withSession();
    const hold = await own.mutex('m').acquire();

    await client.close();

    expect(hold.isHeld()).toBe(false);
    expect((await world.store.lease.list()).leases).toEqual([]);
    expect(await outcome(own.mutex('m').acquire())).toBeInstanceOf(ClosedError);
  });

  it.each([1_000, 2_500, Number.NaN, 0])('refuses a TTL of %s ms before anything is sent', async (ttlMs) => {
    await using world = await World.open();
    const client = await world.client();

    expect(await outcome(client.withSession({ ttlMs }))).toBeInstanceOf(RangeError);
    expect(world.calls(client)).toEqual([]);
  });
});

describe('options', () => {
  it('that are misspelled, or no options, are refused before anything is sent', async () => {
    await using world = await World.open();
    const client = await world.client();
    const wrong = { timeout: 5 } as object;
    const signal = new AbortController() as unknown as AbortSignal;
    const calls = [
      client.mutex('m').acquire(wrong),
      client.mutex('m').acquire(5_000 as never),
      client.mutex('m').acquire({ signal }),
      client.mutex('m').tryAcquire(wrong),
      client.mutex('m').run(() => 1, wrong),
      client.withSession({ sessionTtlMs: 3_000 } as object),
      client.close({ drainMs: 1 } as object),
      client.store.txn({ then: [{ key: 'k', value: 'v' }] as never }),
      client.store.txn({ if: [{}] as never }),
      client.store.do({ kind: 'put' } as never),
    ];

    for (const call of calls) expect(await outcome(call)).toBeInstanceOf(TypeError);
    expect(world.calls(client)).toEqual([]);
  });
});

describe('errors', () => {
  it('carry their facts, and are told apart by code', async () => {
    await using world = await World.open();
    const client = await world.client();
    const hold = await client.mutex('m').acquire();
    const late = await outcome(client.mutex('m').acquire({ timeoutMs: 0 }));
    await world.expireSession(client);
    await world.settle();
    const lost = await outcome(hold.release());

    expect(late).toMatchObject({ code: 'WAIT_TIMEOUT', waitedMs: 0 });
    expect(lost).toMatchObject({ key: hold.key, fencingToken: hold.fencingToken });
    if (!isConclaveError(lost, 'HOLD_LOST') || !isConclaveError(lost.cause, 'SESSION_LOST')) throw lost;
    expect(lost.cause.reason).toBe('revoked');
  });
});

describe('names', () => {
  it.each(['', '\ud800'])('that cannot be a name are refused before anything is sent: %j', async (name) => {
    await using world = await World.open();
    const client = await world.client();

    expect(() => client.mutex(name)).toThrow(TypeError);
    expect(() => client.mutex({ path: name })).toThrow(TypeError);
    expect(world.calls(client)).toEqual([]);
  });

  it('with a slash are lines of their own', async () => {
    await using world = await World.open();
    const client = await world.client();
    await using a = await client.mutex('a').acquire();
    await using b = await client.mutex('a/b').acquire({ timeoutMs: 0 });

    expect([a.isHeld(), b.isHeld()]).toEqual([true, true]);
  });
});
