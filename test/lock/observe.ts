import { prefix, type KeyValue } from '../../src/index.js';
import type { World } from '../../src/testing/index.js';

/** What became of a promise: its value, or what it was rejected with. Taken at once, so that nothing is unhandled. */
export function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

/** The tickets that stand in a mutex's line, oldest first. */
export async function ticketsOf(world: World, name: string): Promise<{ key: string; kv: KeyValue }[]> {
  const { kvs } = await world.store.get(prefix(`conclave/lock/${encodeURIComponent(name)}/`), {
    sort: ['create', 'ascend'],
  });
  return kvs.map((kv) => ({ key: Buffer.from(kv.key).toString(), kv }));
}
