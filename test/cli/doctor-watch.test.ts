import { afterEach, expect, it, vi } from 'vitest';
import { checkHistory, checkPermissions } from '../../src/cli/doctor-store.js';
import { CompactedError, type Conclave, type WatchOptions } from '../../src/index.js';

afterEach(() => vi.restoreAllMocks());

/** An etcd that answers calls, but on which no watch ever tells anything. */
function withoutWatches(): Conclave {
  const header = { revision: 9n };
  const store = {
    lease: { grant: async () => ({ id: 1n }), revoke: async () => ({}) },
    put: async () => ({}),
    remove: async () => ({}),
    get: async (_key: string, { revision = 0n } = {}) => {
      if (revision > 0n) throw new CompactedError('compacted', 0n);
      return { header, kvs: [] };
    },
    watch: async function* (_key: string, { signal }: WatchOptions) {
      await new Promise((_, reject) =>
        signal?.addEventListener('abort', () => reject(signal.reason as Error)),
      );
      yield undefined;
    },
  };
  return { namespace: 'n', store } as unknown as Conclave;
}

it.each([checkPermissions, checkHistory])('%o ends although no watch tells anything', async (check) => {
  const timeout = new AbortController();
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(timeout.signal);
  const checking = Promise.resolve(
    check({ conclave: withoutWatches(), seen: [], hasLogin: false, sessionTtlMs: 15_000 }),
  );
  const told = checking.catch((error: unknown) => error);
  await new Promise(setImmediate);
  timeout.abort(new DOMException('too long', 'TimeoutError'));
  expect(await told).toMatchObject({ code: 'UNAVAILABLE' });
});
