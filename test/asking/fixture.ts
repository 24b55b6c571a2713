import { type Conclave, prefix } from '../../src/index.js';
import type { Calls } from '../../src/store/transport.js';
import type { World } from '../../src/testing/index.js';

export type Said = 'ask' | 'forced';

/** The transaction that says something to a session. */
export function tells(kind: Said): (request: Calls['txn']['request']) => boolean {
  return ({ then }) =>
    then.some((op) => op.kind === 'put' && Buffer.from(op.key).toString().includes(`/${kind}/`));
}

/** What stands in the store that was said to some session. */
export async function marks(world: World, kind: Said): Promise<string[]> {
  const { kvs } = await world.store.get(prefix('conclave/session/'));
  return kvs.map(({ key }) => Buffer.from(key).toString()).filter((key) => key.includes(`/${kind}/`));
}

/** A client that holds, and one that asks, with their sessions open. */
export async function two(world: World): Promise<{ holder: Conclave; asker: Conclave }> {
  const holder = await world.client({ holder: 'holder', sessionTtlMs: 60_000 });
  const asker = await world.client({ holder: 'asker', sessionTtlMs: 60_000 });
  for (const client of [holder, asker]) await (await client.mutex('warm-up').acquire()).release();
  return { holder, asker };
}
