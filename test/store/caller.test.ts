import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AuthError,
  ClosedError,
  NotFoundError,
  OutcomeUnknownError,
  UnavailableError,
} from '../../src/base/errors.js';
import { Caller } from '../../src/store/caller.js';
import { Endpoints } from '../../src/store/endpoints.js';
import { compare, get, put, remove, txn } from '../../src/store/operations.js';
import { type Calls, type Method, TransportError } from '../../src/store/transport.js';
import { ManualRuntime, settled } from './manual-runtime.js';
import {
  header,
  neverSent,
  type ScriptedCall,
  ScriptedTransport,
  unavailable,
} from './scripted-transport.js';

const dialTimeoutMs = 5_000;
let runtime: ManualRuntime;
let transport: ScriptedTransport;
let endpoints: Endpoints;
let caller: Caller;

function open(...names: readonly string[]): void {
  runtime = new ManualRuntime();
  transport = new ScriptedTransport(...names);
  endpoints = new Endpoints(runtime, names);
  caller = new Caller(transport, runtime, endpoints, dialTimeoutMs);
}

beforeEach(() => open('a', 'b', 'c'));
afterEach(() => expect(runtime.pendingTimers, 'timers left').toBe(0));

const asked = (): string[] => transport.calls.map(({ endpoint }) => endpoint);
const last = (): ScriptedCall => transport.calls.at(-1)!;
const refuseAll = (): void => void (transport.onCall = (call) => call.fail(neverSent()));

/** How a call ended, and when; what is under way says nothing yet. */
function watched<T>(promise: Promise<T>): { at?: number; value?: T; error?: unknown } {
  const seen: { at?: number; value?: T; error?: unknown } = {};
  promise.then(
    (value) => Object.assign(seen, { at: runtime.now(), value }),
    (error: unknown) => Object.assign(seen, { at: runtime.now(), error }),
  );
  return seen;
}

const mutations: readonly (readonly [string, Method, Calls[Method]['request']])[] = [
  ['a put', 'put', put('k', 'v')],
  ['a removal', 'remove', remove('k')],
  ['a transaction that writes', 'txn', txn({ else: [txn({ then: [put('k', 'v')] })] })],
  ['a compaction', 'compact', { revision: 5n, physical: false }],
  ['a grant', 'leaseGrant', { id: 7n, ttlSeconds: 5 }],
  ['a revocation', 'leaseRevoke', { id: 7n }],
];
const reads: readonly (readonly [string, Method, Calls[Method]['request']])[] = [
  ['a get', 'get', get('k')],
  [
    'a transaction that only reads',
    'txn',
    txn({ if: [compare.version('k', '=', 0n)], then: [txn({ then: [get('k')] })] }),
  ],
  ['a time to live', 'leaseTimeToLive', { id: 7n, keys: false }],
  ['a list of leases', 'leaseList', {}],
  ['a status', 'status', {}],
];

describe('a read', () => {
  it.each(reads)(
    '(%s) is repeated on the next endpoint, sent before or not, until answered',
    async (_, method, request) => {
      const answer = caller.call(method, request);
      last().fail(neverSent());
      await runtime.advance(0);
      last().fail(unavailable());
      await runtime.advance(0);
      last().answer({ kvs: [] });
      await expect(answer).resolves.toMatchObject({ kvs: [] });
      expect(asked()).toEqual(['a', 'b', 'c']);
    },
  );

  it('leaves a silent endpoint after 1.5 s', async () => {
    const answer = caller.call('get', get('k'));
    await runtime.advance(1_499);
    expect(asked()).toEqual(['a']);
    await runtime.advance(1);
    expect(asked()).toEqual(['a', 'b']);
    expect(transport.calls[0]!.options.signal.aborted).toBe(true);
    last().answer();
    await answer;
  });

  it('that takes longer than that everywhere is given more time in the next round', async () => {
    open('a');
    const answer = caller.call('get', get('k'), { timeoutMs: 60_000 });
    await runtime.advance(1_500 + 2_900);
    last().answer();
    await expect(answer).resolves.toBeDefined();
    expect(asked()).toEqual(['a', 'a']);
  });

  it('is not repeated when it was refused', async () => {
    const answer = caller.call('get', get('k'));
    last().fail(new TransportError('out-of-range', 'etcdserver: mvcc: required revision has been compacted'));
    await expect(answer).rejects.toMatchObject({ code: 'COMPACTED' });
    expect(asked()).toEqual(['a']);
  });

  it('asks for a leader unless it may be stale', async () => {
    transport.onCall = (call) => call.answer();
    await caller.call('get', get('k'));
    await caller.call('get', get('k', { serializable: true }));
    expect(transport.calls.map(({ options }) => options.requireLeader)).toEqual([true, false]);
  });
});

describe('a mutation', () => {
  it.each(mutations)('(%s) is repeated only while it surely was not done', async (_, method, request) => {
    const answer = caller.call(method, request);
    last().fail(neverSent());
    await runtime.advance(0);
    last().fail(new TransportError('unknown', 'etcdserver: too many requests'));
    await runtime.advance(0);
    last().fail(unavailable());
    await expect(answer).rejects.toBeInstanceOf(OutcomeUnknownError);
    expect(asked()).toEqual(['a', 'b', 'b']);
  });

  it('on a silent endpoint is unknown at its limit, and cancelled', async () => {
    const call = watched(caller.call('put', put('k', 'v')));
    await runtime.advance(dialTimeoutMs - 1);
    expect(call.at).toBeUndefined();
    await runtime.advance(1);
    expect(call.error).toBeInstanceOf(OutcomeUnknownError);
    expect(asked()).toEqual(['a']);
    expect(last().options.signal.aborted).toBe(true);
  });

  it('that never got out of this process within its limit is surely not done', async () => {
    transport.sends = false; // a login that hangs, for example
    const call = watched(caller.call('put', put('k', 'v')));
    await runtime.advance(dialTimeoutMs);
    expect(call.error).toBeInstanceOf(UnavailableError);
  });

  it('that was refused is not repeated', async () => {
    const answer = caller.call('put', put('k', 'v', { lease: 7n }));
    last().fail(new TransportError('not-found', 'etcdserver: requested lease not found'));
    await expect(answer).rejects.toBeInstanceOf(NotFoundError);
    expect(asked()).toEqual(['a']);
  });
});

describe('an unreachable cluster', () => {
  it.each([0.05, 0.5, 0.999])(
    'is given up at the time limit, naming all endpoints (chance %d)',
    async (chance) => {
      runtime.chance = chance;
      refuseAll();
      for (const [method, request] of [
        ['get', get('k')],
        ['put', put('k', 'v')],
      ] as const) {
        const startedAt = runtime.now();
        const call = watched(caller.call(method, request));
        await runtime.advance(dialTimeoutMs + 2_000);
        expect(call.error).toBeInstanceOf(UnavailableError);
        expect(call.error).toMatchObject({
          message: expect.stringContaining('tried a, b, c for 5000 ms') as string,
        });
        expect(call.at! - startedAt).toBeLessThanOrEqual(dialTimeoutMs);
        expect(new Set(asked())).toEqual(new Set(['a', 'b', 'c']));
      }
    },
  );

  it('that only swallows requests is given up at the time limit, and every endpoint was asked', async () => {
    runtime.chance = 0.999;
    const call = watched(caller.call('get', get('k')));
    await runtime.advance(20_000);
    expect(call.error).toBeInstanceOf(UnavailableError);
    expect(call.at).toBe(dialTimeoutMs);
    expect(new Set(asked())).toEqual(new Set(['a', 'b', 'c']));
  });

  it('is asked nothing once the time is up; the message tells what was wrong before', async () => {
    runtime.chance = 0.999;
    const times: number[] = [];
    transport.onCall = (call) => {
      times.push(runtime.now());
      call.fail(neverSent());
    };
    const call = watched(caller.call('put', put('k', 'v'), { timeoutMs: 30 }));
    await runtime.advance(100);
    expect(call).toMatchObject({
      at: 30,
      error: { message: expect.stringContaining('ECONNREFUSED') as string },
    });
    expect(Math.max(...times)).toBeLessThan(30);
  });

  it('is tried once with a limit of 0', async () => {
    refuseAll();
    await expect(caller.call('get', get('k'), { timeoutMs: 0 })).rejects.toBeInstanceOf(UnavailableError);
    expect(asked()).toHaveLength(1);
  });

  it('is tried for ever with a limit of Infinity', async () => {
    runtime.chance = 0.999;
    refuseAll();
    const abort = new AbortController();
    const call = watched(caller.call('get', get('k'), { timeoutMs: Infinity, signal: abort.signal }));
    await runtime.advance(60_000);
    expect(call.at).toBeUndefined();
    abort.abort('enough');
    await settled();
    expect(call.error).toBe('enough');
  });
});

it('a certificate that is not accepted is an AuthError at once', async () => {
  const answer = caller.call('get', get('k'));
  last().fail(neverSent('No connection established. Last error: self-signed certificate'));
  await expect(answer).rejects.toBeInstanceOf(AuthError);
  expect(asked()).toEqual(['a']);
});

it('a transaction that is not permitted names all of its keys, since any may be the one', async () => {
  transport.onCall = (call) =>
    call.fail(new TransportError('permission-denied', 'etcdserver: permission denied'));
  const nested = txn({ then: [put('b', ''), get('a')] });
  const parts = txn({ if: [compare.version('c', '=', 0n)], then: [put('a', ''), nested] });
  await expect(caller.call('txn', parts)).rejects.toThrow(
    new AuthError(`txn on "a", "b", "c": permission denied; the user's roles do not cover this`),
  );
  const many = txn({ then: Array.from({ length: 12 }, (_, i) => put(`k${i}`, '')) });
  await expect(caller.call('txn', many)).rejects.toThrow('"k9" and 2 more: ');
});

it('a wrong password is an AuthError at once, though the request never left', async () => {
  const answer = caller.call('put', put('k', 'v'));
  last().fail(
    neverSent('etcdserver: authentication failed, invalid user ID or password', 'invalid-argument'),
  );
  await expect(answer).rejects.toBeInstanceOf(AuthError);
  expect(asked()).toEqual(['a']);
});

it.each([NaN, -1, 2 ** 31])('refuses the limit %d before any I/O', async (timeoutMs) => {
  await expect(caller.call('get', get('k'), { timeoutMs })).rejects.toBeInstanceOf(RangeError);
  expect(asked()).toEqual([]);
});

describe('the signal of a call', () => {
  const reasons: readonly unknown[] = [new Error('stop'), 'stop', 0, null, new TypeError('mine')];

  it.each(reasons)('ends a request under way with its reason, %o, as it is', async (reason) => {
    const abort = new AbortController();
    const call = watched(caller.call('put', put('k', 'v'), { signal: abort.signal }));
    abort.abort(reason);
    await settled();
    expect(call).toMatchObject({ at: 0, error: reason });
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  it.each(reasons)('ends a pause with its reason, %o, as it is', async (reason) => {
    runtime.chance = 0.999;
    refuseAll();
    const abort = new AbortController();
    const call = watched(caller.call('get', get('k'), { signal: abort.signal }));
    await settled();
    expect(runtime.pendingTimers).toBe(1);
    abort.abort(reason);
    await settled();
    expect(call).toMatchObject({ at: 0, error: reason });
  });

  it('that has aborted already keeps everything from being sent', async () => {
    await expect(caller.call('get', get('k'), { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect(asked()).toEqual([]);
  });

  it('that aborts as the pause ends keeps a mutation from being sent again', async () => {
    runtime.chance = 0.5;
    const abort = new AbortController();
    const call = watched(caller.call('put', put('k', 'v'), { signal: abort.signal }));
    const setTimer = runtime.setTimer.bind(runtime);
    runtime.setTimer = (delayMs, ring) =>
      setTimer(delayMs, () => {
        ring();
        abort.abort('now');
      });
    last().fail(neverSent());
    await runtime.advance(10);
    expect(call.error).toBe('now');
    expect(asked()).toHaveLength(1);
  });

  it('does not hold the endpoint to blame', async () => {
    const abort = new AbortController();
    const call = watched(caller.call('get', get('k'), { signal: abort.signal }));
    abort.abort();
    await settled();
    expect(call.error).toMatchObject({ name: 'AbortError' });
    expect(endpoints.pick()).toBe('a');
  });

  it('keeps nothing of the calls it was given to', async () => {
    const { signal } = new AbortController();
    transport.onCall = (call) => call.answer();
    for (let i = 0; i < 10; i++) await caller.call('get', get('k'), { signal });
    transport.onCall = (call) => call.fail(unavailable());
    await expect(caller.call('put', put('k', 'v'), { signal })).rejects.toThrow(OutcomeUnknownError);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('closing', () => {
  it('refuses new calls', async () => {
    caller.close();
    await expect(caller.call('get', get('k'))).rejects.toBeInstanceOf(ClosedError);
    expect(asked()).toEqual([]);
  });

  it('ends a read under way as closed, a sent mutation as unknown, an unsent one as closed', async () => {
    const read = caller.call('get', get('k'));
    const write = caller.call('put', put('k', 'v'));
    caller.close();
    await transport.close();
    await expect(read).rejects.toBeInstanceOf(ClosedError);
    await expect(write).rejects.toBeInstanceOf(OutcomeUnknownError);

    open('a');
    transport.sends = false;
    const unsent = caller.call('put', put('k', 'v'));
    caller.close();
    await transport.close();
    await expect(unsent).rejects.toBeInstanceOf(ClosedError);
  });

  it.each([
    ['get', get('k')],
    ['put', put('k', 'v')],
  ] as const)('ends the pause of a %s at once', async (method, request) => {
    runtime.chance = 0.999;
    refuseAll();
    const call = watched(caller.call(method, request));
    await settled();
    caller.close();
    await settled();
    expect(call.error).toBeInstanceOf(ClosedError);
    expect(runtime.pendingTimers).toBe(0);
    expect(asked()).toHaveLength(1);
  });
});

describe('the choice of the endpoint', () => {
  it('stays with the one that answers', async () => {
    transport.onCall = (call) => (call.endpoint === 'a' ? call.fail(unavailable()) : call.answer());
    for (let i = 0; i < 3; i++) {
      const answer = caller.call('get', get('k'));
      await runtime.advance(0);
      await answer;
    }
    expect(asked()).toEqual(['a', 'b', 'b', 'b']);
  });

  it('learns the raft term from every answer', async () => {
    transport.onCall = (call) => call.answer({ header: header(1n, 7n) });
    await caller.call('get', get('k'));
    expect(endpoints.sawTerm(6n)).toBe(false);
  });

  it('does not blame an endpoint for what the store refuses', async () => {
    transport.onCall = (call) =>
      call.fail(new TransportError('not-found', 'etcdserver: requested lease not found'));
    await expect(caller.call('leaseRevoke', { id: 7n })).rejects.toBeInstanceOf(NotFoundError);
    expect(endpoints.pick()).toBe('a');
  });
});
