import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Conclave } from '../../src/index.js';

let conclave: Conclave;

beforeAll(async () => {
  conclave = await connect('memory:');
});

afterAll(() => conclave.close());

const calls: Record<string, (options: never) => Promise<unknown>> = {
  put: (options) => conclave.store.put('k', 'v', options),
  get: (options) => conclave.store.get('k', options),
  remove: (options) => conclave.store.remove('k', options),
  txn: (options) => conclave.store.txn({}, options),
  compact: (options) => conclave.store.compact(1n, options),
  watch: (options) => conclave.store.watch('k', options).next(),
  'lease.grant': (options) => conclave.store.lease.grant({ ttlSeconds: 5 }, options),
  'lease.revoke': (options) => conclave.store.lease.revoke(1n, options),
  'lease.timeToLive': (options) => conclave.store.lease.timeToLive(1n, options),
  'lease.list': (options) => conclave.store.lease.list(options),
  'lease.keepAliveOnce': (options) => conclave.store.lease.keepAliveOnce(1n, options),
  'lease.keepAlive': (options) => conclave.store.lease.keepAlive(1n, options).next(),
};

it.each(Object.entries(calls))('store.%s refuses an option it does not know, by name', async (name, call) => {
  const failure = call({ timeoutMS: 5 } as never);
  await expect(failure).rejects.toBeInstanceOf(TypeError);
  await expect(failure).rejects.toThrow(`store.${name}`.replace('store.lease', 'lease'));
  await expect(failure).rejects.toThrow('unknown option "timeoutMS"');
});

it('store.txn refuses a misspelt branch, which would be empty', async () => {
  await expect(conclave.store.txn({ than: [] } as never)).rejects.toThrow('unknown option "than"');
});

it.each(['revoke', 'timeToLive', 'keepAliveOnce'] as const)('lease.%s takes a bigint', async (method) => {
  await expect(conclave.store.lease[method](5 as never)).rejects.toThrow('a lease id must be a bigint');
});
