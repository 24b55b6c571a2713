import { toText } from '../base/bytes.js';
import { ConflictError } from '../base/errors.js';
import type { KeyValue } from '../store/results.js';

/** Signed 64 bits: what programs in other languages can read. */
export const largest: bigint = 2n ** 63n - 1n;
const smallest = -(2n ** 63n);

export function isInRange(value: bigint): boolean {
  return smallest <= value && value <= largest;
}

/**
 * A number as it is stored: decimal text, nothing else. No key means 0.
 *
 * @throws ConflictError naming what stands there instead
 */
export function readNumber(kv: KeyValue | undefined, title: string): bigint {
  if (!kv) return 0n;
  const text = toText(kv.value);
  const value = /^(0|-?[1-9]\d{0,18})$/.test(text) ? BigInt(text) : undefined;
  if (value !== undefined && isInRange(value)) return value;
  throw new ConflictError(
    `${title}: its value is ${JSON.stringify(text.slice(0, 40))}, no whole number of 64 bits in decimal digits; a newer version or another program has written it`,
  );
}

/** @throws TypeError unless it is a bigint or a whole number; RangeError if it does not fit into signed 64 bits */
export function checkInteger(value: bigint | number, what: string): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    throw new RangeError(`${what} must be a whole number, a bigint if it is large; got ${value}`);
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw new TypeError(`${what} must be a bigint or a number`);
  const integer = BigInt(value);
  if (!isInRange(integer)) throw new RangeError(`${what} does not fit into 64 bits: ${integer}`);
  return integer;
}
