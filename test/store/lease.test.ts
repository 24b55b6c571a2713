import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AlreadyExistsError,
  ClosedError,
  NotFoundError,
  OutcomeUnknownError,
  UnavailableError,
  WaitTimeoutError,
} from '../../src/base/errors.js';
import { Store } from '../../src/store/store.js';
import { TransportError } from '../../src/store/transport.js';
import { ManualRuntime, settled } from './manual-runtime.js';
import { neverSent, type ScriptedCall, ScriptedTransport, unavailable } from './scripted-transport.js';

let runtime: ManualRuntime;
let transport: ScriptedTransport;
let store: Store;

beforeEach(() => {
  runtime = new ManualRuntime();
  transport = new ScriptedTransport('a', 'b');
  store = new Store(transport, { runtime });
});

afterEach(async () => {
  await store.close();
  expect(runtime.pendingTimers, 'timers left').toBe(0);
});

const last = (): ScriptedCall => transport.calls.at(-1)!;
const exists = (): TransportError =>
  new TransportError('failed-precondition', 'etcdserver: lease already exists');
const granted = { id: 1_000n, ttlSeconds: 5 };

describe('a grant', () => {
  it('chooses the id, and counts from when the request was written', async () => {
    await runtime.advance(100);
    const lease = store.lease.grant({ ttlSeconds: 5 });
    expect(last().request).toEqual(granted);
    await runtime.advance(700);
    last().answer(granted);
    expect(await lease).toMatchObject({ ...granted, sentAt: 100, sentAtWall: 1_000_100 });
  });

  it('whose answer is lost is asked for again by the same id; "exists" then means granted, from the first send', async () => {
    const lease = store.lease.grant({ ttlSeconds: 1 });
    await runtime.advance(300);
    last().fail(unavailable());
    await runtime.advance(400);
    expect(transport.calls.map(({ request }) => request)).toEqual(
      new Array(2).fill({ id: 1_000n, ttlSeconds: 1 }),
    );
    last().fail(exists());
    await runtime.advance(100);
    expect(last().method).toBe('leaseTimeToLive');
    last().answer({ id: 1_000n, ttlSeconds: 1, grantedTtlSeconds: 2, keys: [] });
    expect(await lease).toMatchObject({ id: 1_000n, ttlSeconds: 2, sentAt: 0, sentAtWall: 1_000_000 });
  });

  it('counts from the first send also when the second one granted it', async () => {
    const lease = store.lease.grant({ ttlSeconds: 5 });
    await runtime.advance(2_500); // silent for half of the time
    await runtime.advance(300);
    expect(transport.calls.map(({ endpoint }) => endpoint)).toEqual(['a', 'b']);
    last().answer(granted);
    expect(await lease).toMatchObject({ ...granted, sentAt: 0 });
  });

  it('of an id that somebody else has is refused', async () => {
    const lease = store.lease.grant({ ttlSeconds: 5, id: 7n });
    last().fail(exists());
    await expect(lease).rejects.toBeInstanceOf(AlreadyExistsError);
    expect(transport.calls).toHaveLength(1);
  });

  it('stays unknown when it was sent once and the next attempt could not be', async () => {
    const lease = store.lease.grant({ ttlSeconds: 5 });
    const ended = expect(lease).rejects.toBeInstanceOf(OutcomeUnknownError);
    runtime.chance = 0.5;
    last().fail(unavailable());
    transport.onCall = (call) => call.fail(neverSent());
    await runtime.advance(5_000);
    await ended;
    expect(transport.calls.length).toBeGreaterThan(2);
  });

  it('stays unknown when it exists, but for how long cannot be asked', async () => {
    const lease = store.lease.grant({ ttlSeconds: 5 });
    const ended = expect(lease).rejects.toBeInstanceOf(OutcomeUnknownError);
    runtime.chance = 0.5;
    last().fail(unavailable());
    await runtime.advance(0);
    last().fail(exists());
    transport.onCall = (call) => call.fail(unavailable());
    await runtime.advance(5_000);
    await ended;
    expect(runtime.pendingTimers, 'within its limit').toBe(0);
  });

  it('that has run out before it was known is not handed out', async () => {
    const lease = store.lease.grant({ ttlSeconds: 1 });
    last().fail(unavailable());
    await runtime.advance(0);
    last().fail(exists());
    await runtime.advance(0);
    last().answer({ id: 1_000n, ttlSeconds: -1, grantedTtlSeconds: 0, keys: [] });
    await expect(lease).rejects.toBeInstanceOf(NotFoundError);
  });

  it('that is silent everywhere is unknown at the limit', async () => {
    const lease = store.lease.grant({ ttlSeconds: 5 }, { timeoutMs: 2_000 });
    const ended = expect(lease).rejects.toBeInstanceOf(OutcomeUnknownError);
    await runtime.advance(2_000);
    await ended;
    expect(transport.calls).toHaveLength(2);
  });

  it('ends with the reason of its signal, whatever that is', async () => {
    const abort = new AbortController();
    const lease = store.lease.grant({ ttlSeconds: 5 }, { signal: abort.signal });
    abort.abort('enough');
    await expect(lease).rejects.toBe('enough');
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it.each([0, -1, 0.5, NaN, Infinity, 9_000_000_001])('refuses a TTL of %d s', async (ttlSeconds) => {
    await expect(store.lease.grant({ ttlSeconds })).rejects.toBeInstanceOf(RangeError);
    expect(transport.calls).toEqual([]);
  });

  it.each([0n, -1n, 2n ** 63n])(
    'refuses the id %d: of 0 the server would grant another one each time',
    async (id) => {
      await expect(store.lease.grant({ ttlSeconds: 5, id })).rejects.toBeInstanceOf(RangeError);
      expect(transport.calls).toEqual([]);
    },
  );

  it.each([NaN, -1])('refuses the limit %d', async (timeoutMs) => {
    await expect(store.lease.grant({ ttlSeconds: 5 }, { timeoutMs })).rejects.toBeInstanceOf(RangeError);
    expect(transport.calls).toEqual([]);
  });
});

describe('keep-alive as an iterable', () => {
  it('renews at once and then every third, yields each renewal, and ends with NotFoundError when the lease is gone', async () => {
    const renewals = store.lease.keepAlive(7n);
    expect(transport.keepAliveStreams).toEqual([]);
    const first = renewals.next();
    const [stream] = transport.keepAliveStreams;
    stream!.renewed(7n, 6);
    expect((await first).value).toEqual({ sentAt: 0, sentAtWall: 1_000_000, ttlSeconds: 6 });
    const second = renewals.next();
    await runtime.advance(5_000);
    stream!.renewed(7n, 0);
    await expect(second).rejects.toBeInstanceOf(NotFoundError);
    expect(stream!.isClosed).toBe(true);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('stops renewing at break', async () => {
    const renewals = store.lease.keepAlive(7n);
    const first = renewals.next();
    transport.keepAliveStreams[0]!.renewed(7n, 6);
    await first;
    await renewals.return();
    expect(transport.keepAliveStreams[0]!.isClosed).toBe(true);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('throws the reason of its signal, and what was not read yet is dropped', async () => {
    const abort = new AbortController();
    const renewals = store.lease.keepAlive(7n, { signal: abort.signal });
    const first = renewals.next();
    const [stream] = transport.keepAliveStreams;
    stream!.renewed(7n, 6);
    await first;
    await runtime.advance(5_000);
    stream!.renewed(7n, 6);
    abort.abort('enough');
    await expect(renewals.next()).rejects.toBe('enough');
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
    expect(stream!.isClosed).toBe(true);
  });

  it('ends with ClosedError when the store closes, and does not begin after that', async () => {
    const next = store.lease.keepAlive(7n).next();
    await store.close();
    await expect(next).rejects.toBeInstanceOf(ClosedError);
    await expect(store.lease.keepAlive(7n).next()).rejects.toBeInstanceOf(ClosedError);
    await expect(store.lease.keepAliveOnce(7n)).rejects.toBeInstanceOf(ClosedError);
    expect(transport.keepAliveStreams).toHaveLength(1);
  });

  it('of a lease that is kept already is refused', async () => {
    const first = store.lease.keepAlive(7n);
    const next = first.next();
    await expect(store.lease.keepAlive(7n).next()).rejects.toBeInstanceOf(AlreadyExistsError);
    transport.keepAliveStreams[0]!.renewed(7n, 6);
    await next;
    await first.return();
  });
});

describe('keep-alive once', () => {
  it('renews once and leaves nothing behind', async () => {
    const renewal = store.lease.keepAliveOnce(7n);
    transport.keepAliveStreams[0]!.renewed(7n, 6);
    expect(await renewal).toMatchObject({ ttlSeconds: 6 });
    expect(transport.keepAliveStreams[0]!.isClosed).toBe(true);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('tries another endpoint after half a second of silence', async () => {
    const renewal = store.lease.keepAliveOnce(7n);
    await runtime.advance(500);
    expect(transport.keepAliveStreams.map(({ endpoint }) => endpoint)).toEqual(['a', 'b']);
    transport.keepAliveStreams[1]!.renewed(7n, 6);
    expect(await renewal).toMatchObject({ sentAt: 500 });
  });

  it('of a lease that does not exist is NotFoundError', async () => {
    const renewal = store.lease.keepAliveOnce(7n);
    transport.keepAliveStreams[0]!.renewed(7n, 0);
    await expect(renewal).rejects.toBeInstanceOf(NotFoundError);
  });

  it('that nobody answers is UnavailableError at its limit', async () => {
    const ended = expect(store.lease.keepAliveOnce(7n, { timeoutMs: 900 })).rejects.toBeInstanceOf(
      UnavailableError,
    );
    await runtime.advance(900);
    await ended;
    expect(runtime.pendingTimers).toBe(0);
  });

  it.each(['enough', new WaitTimeoutError('mine', 1)])(
    'ends with the reason of its signal, %o',
    async (reason) => {
      const abort = new AbortController();
      const renewal = store.lease.keepAliveOnce(7n, { signal: abort.signal });
      abort.abort(reason);
      await expect(renewal).rejects.toBe(reason);
      await settled();
      expect(runtime.pendingTimers).toBe(0);
    },
  );
});
