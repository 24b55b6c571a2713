import { prefix, toText } from '../../src/index.js';
import type { World } from '../../src/testing/index.js';

/** The keys below a prefix, without it, lease ids called LEASE. */
export async function keysBelow(world: World, start: string): Promise<string[]> {
  const { kvs } = await world.store.get(prefix(start));
  return kvs.map(({ key }) => toText(key).slice(start.length));
}

export const doubleAt = (name: string): string => `conclave/double-barrier/${name}/`;
export const cyclicAt = (name: string): string => `conclave/cyclic-barrier/${name}/`;
