import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WaitTimeoutError } from '../../src/base/errors.js';
import { maxTimerMs, sleep } from '../../src/base/runtime.js';
import { checkTimeout, raceSignal, Wait } from '../../src/base/wait.js';
import { ManualRuntime, settled } from '../store/manual-runtime.js';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;
const never = new Promise<never>(() => {});

describe('a timeout', () => {
  it.each([0, 0.5, 1, maxTimerMs, Infinity])('may be %d', (timeoutMs) => {
    expect(checkTimeout(timeoutMs)).toBe(timeoutMs);
  });

  it.each([NaN, -1, -Infinity, maxTimerMs + 1, Number.MAX_VALUE])('may not be %d', (timeoutMs) => {
    expect(() => checkTimeout(timeoutMs, 'dialTimeoutMs')).toThrow(RangeError);
    expect(() => checkTimeout(timeoutMs, 'dialTimeoutMs')).toThrow(/^dialTimeoutMs must be/);
  });

  it.each(['5', null, 5n])('may not be %o, which is no number', (timeoutMs) => {
    expect(() => checkTimeout(timeoutMs as unknown as number)).toThrow(TypeError);
  });
});

describe('a wait', () => {
  it('ends with a WaitTimeoutError at its timeout, which names what stood in the way', async () => {
    const runtime = new ManualRuntime();
    const wait = Wait.start(runtime, { timeoutMs: 100 }, 'mutex "m"');
    wait.obstacle = '; held by host-7';
    await runtime.advance(99);
    expect(wait.signal.aborted).toBe(false);
    await runtime.advance(1);
    expect(wait.signal.reason).toEqual(
      new WaitTimeoutError('mutex "m": not done within 100 ms; held by host-7', 100),
    );
    expect(wait.signal.reason).toBeInstanceOf(WaitTimeoutError);
  });

  it('without a timeout, or with Infinity, sets no timer', () => {
    const runtime = new ManualRuntime();
    expect(Wait.start(runtime, {}, '').immediate).toBe(false);
    expect(Wait.start(runtime, { timeoutMs: Infinity }, '').immediate).toBe(false);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('of 0 ms is one attempt, which no timer cuts short', () => {
    const runtime = new ManualRuntime();
    const wait = Wait.start(runtime, { timeoutMs: 0 }, '');
    expect(wait.immediate).toBe(true);
    expect(runtime.pendingTimers).toBe(0);
  });

  it.each([new Error('stop'), 'stop', 0, null])(
    'ends with the reason %o of its caller as it is',
    (reason) => {
      const caller = new AbortController();
      const wait = Wait.start(new ManualRuntime(), { signal: caller.signal }, '');
      caller.abort(reason);
      expect(wait.signal.reason).toBe(reason);
    },
  );

  it('does not start for a signal that has aborted', () => {
    const runtime = new ManualRuntime();
    const signal = AbortSignal.abort('too late');
    expect(() => Wait.start(runtime, { signal, timeoutMs: 5 }, '')).toThrow('too late');
    expect(runtime.pendingTimers).toBe(0);
  });

  it('ends by the first of several causes, and keeps it', async () => {
    const runtime = new ManualRuntime();
    const [caller, session] = [new AbortController(), new AbortController()];
    const wait = Wait.start(runtime, { signal: caller.signal, timeoutMs: 10 }, '');
    wait.endsWith(session.signal);
    session.abort('session lost');
    caller.abort('caller');
    await runtime.advance(20);
    expect(wait.signal.reason).toBe('session lost');
  });

  it('ends at once by a cause that is there already', () => {
    const wait = Wait.start(new ManualRuntime(), {}, '');
    wait.endsWith(AbortSignal.abort('closed'));
    expect(wait.signal.reason).toBe('closed');
  });

  it('that is over leaves no timer and no listener behind', () => {
    const runtime = new ManualRuntime();
    const [caller, session] = [new AbortController(), new AbortController()];
    const wait = Wait.start(runtime, { signal: caller.signal, timeoutMs: 10 }, '');
    wait.endsWith(session.signal);
    expect([listeners(caller.signal), listeners(session.signal)]).toEqual([1, 1]);
    wait.end();
    wait.end();
    expect([listeners(caller.signal), listeners(session.signal)]).toEqual([0, 0]);
    expect(runtime.pendingTimers).toBe(0);
  });
});

describe('a race of a promise with a signal', () => {
  it('settles as the promise does, and forgets the signal', async () => {
    const { signal } = new AbortController();
    await expect(raceSignal(Promise.resolve(7), signal)).resolves.toBe(7);
    await expect(raceSignal(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
    await settled();
    expect(listeners(signal)).toBe(0);
  });

  it('rejects with the reason, and a later rejection of the promise is nobody’s', async () => {
    const abort = new AbortController();
    let reject: (error: Error) => void = () => {};
    const late = new Promise<void>((_, no) => (reject = no));
    const race = raceSignal(late, abort.signal);
    abort.abort('enough');
    await expect(race).rejects.toBe('enough');
    reject(new Error('late'));
    await expect(raceSignal(Promise.reject(new Error('unheard')), abort.signal)).rejects.toBe('enough');
    await settled(); // an unhandled rejection would fail this file
    await expect(raceSignal(never, AbortSignal.abort(0))).rejects.toBe(0);
  });
});

describe('a sleep', () => {
  it('takes as long as it is told', async () => {
    const runtime = new ManualRuntime();
    const { signal } = new AbortController();
    let woke = false;
    void sleep(runtime, 50, { signal }).then(() => (woke = true));
    await runtime.advance(49);
    expect(woke).toBe(false);
    await runtime.advance(1);
    expect(woke).toBe(true);
    expect(listeners(signal)).toBe(0);
  });

  it('ends at once with the reason of its signal, and leaves no timer', async () => {
    const runtime = new ManualRuntime();
    const abort = new AbortController();
    const sleeping = sleep(runtime, 50, { signal: abort.signal });
    abort.abort('up');
    await expect(sleeping).rejects.toBe('up');
    await expect(sleep(runtime, 50, { signal: abort.signal })).rejects.toBe('up');
    expect(runtime.pendingTimers).toBe(0);
  });
});
