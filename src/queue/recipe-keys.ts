import { prefix, type KeyRange } from '../store/operations.js';

/**
 * Where Go's `recipes.Queue` and `recipes.PriorityQueue` keep what stands in them. Programs in both languages share these
 * keys: nothing here may change.
 */

/** What every item of either queue stands below. @throws TypeError unless it is non-empty, well-formed text */
export function itemPrefix(path: string): string {
  if (typeof path !== 'string' || path === '') throw new TypeError('path must be a non-empty string');
  if (!path.isWellFormed()) throw new TypeError('path contains a lone surrogate');
  return `${path}/`;
}

/**
 * A name for an item of a queue: nanoseconds since 1970, as Go gives them. Only its being unused matters, since the order
 * is that of the puts.
 *
 * @param chance from 0 up to 1: our clocks tell milliseconds only
 */
export function itemName(wallMs: number, chance: number): string {
  return String(BigInt(Math.floor(wallMs)) * 1_000_000n + BigInt(Math.floor(chance * 1_000_000)));
}

/** Items of one priority: they stand below `start`, and `guard` is put with each of them. */
export interface PriorityKeys {
  readonly start: string;
  readonly range: KeyRange;
  readonly guard: string;
}

export function priorityKeys(path: string, priority: number): PriorityKeys {
  const place = itemPrefix(path) + String(priority).padStart(5, '0');
  return { start: `${place}/`, range: prefix(`${place}/`), guard: `__${place}` };
}

/** A name behind all others of its priority. @param last the one before; undefined for the first */
export function nextItemName(last: string | undefined): string | undefined {
  if (last === undefined) return '0'.padStart(16, '0');
  return /^\d+$/.test(last) ? String(BigInt(last) + 1n).padStart(16, '0') : undefined;
}
