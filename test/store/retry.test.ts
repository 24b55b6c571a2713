import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { retry, type RetryOptions } from '../../src/store/retry.js';
import { ManualRuntime, settled } from './manual-runtime.js';

const error = new Error('no');

/** The times of the attempts, all of which fail, within a minute. */
async function attempts(runtime: ManualRuntime, options: Partial<RetryOptions>): Promise<number[]> {
  const times: number[] = [];
  const attempt = (): Promise<never> => {
    times.push(runtime.now());
    return Promise.reject(error);
  };
  retry(runtime, attempt, { again: () => true, ...options }).catch(() => {});
  await runtime.advance(60_000);
  return times;
}

describe('a repetition', () => {
  it('ends with the first success', async () => {
    const runtime = new ManualRuntime();
    let count = 0;
    const result = retry(runtime, () => (++count < 3 ? Promise.reject(error) : Promise.resolve(count)), {
      again: () => true,
    });
    await runtime.advance(0);
    expect(await result).toBe(3);
    expect(runtime.pendingTimers).toBe(0);
  });

  it('pauses twice as long each time, up to a limit, times chance', async () => {
    const runtime = new ManualRuntime();
    runtime.chance = 0.5;
    const times = await attempts(runtime, { minDelayMs: 100, maxDelayMs: 1_000, again: (_, n) => n < 7 });
    expect(times).toEqual([0, 50, 150, 350, 750, 1_250, 1_750]);
  });

  it('never pauses past its end', async () => {
    const runtime = new ManualRuntime();
    runtime.chance = 0.5;
    const times = await attempts(runtime, {
      minDelayMs: 100,
      until: 200,
      again: () => runtime.now() < 200,
    });
    expect(times).toEqual([0, 50, 150, 200]);
  });

  it.each([error, new TypeError('fetch'), 'text', undefined, null, 0])(
    'that is not wanted rejects with the error as it is: %o',
    async (thrown) => {
      const told: unknown[] = [];
      const again = (...args: unknown[]): boolean => told.push(...args) < 0;
      await expect(retry(new ManualRuntime(), () => Promise.reject(thrown as Error), { again })).rejects.toBe(
        thrown,
      );
      expect(told).toEqual([thrown, 1]);
    },
  );

  it('that `again` ends with a better error rejects with that', async () => {
    const again = (): never => {
      throw new RangeError('better');
    };
    await expect(retry(new ManualRuntime(), () => Promise.reject(error), { again })).rejects.toThrow(
      'better',
    );
  });

  it('ends its pause with the reason of its signal, and cuts off no attempt', async () => {
    const runtime = new ManualRuntime();
    runtime.chance = 0.5;
    const abort = new AbortController();
    const options = { again: () => true, signal: abort.signal };
    const pausing = retry(runtime, () => Promise.reject(error), options);
    const ended = expect(pausing).rejects.toBe('enough');
    let answer: (value: string) => void = () => {};
    const answering = retry(runtime, () => new Promise<string>((resolve) => (answer = resolve)), options);
    await settled();
    abort.abort('enough');
    answer('an answer that came together with the abort');
    await ended;
    expect(await answering).toContain('together');
    expect(runtime.pendingTimers).toBe(0);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });
});
