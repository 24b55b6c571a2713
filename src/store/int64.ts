/** The store's numbers are signed, of 64 bits. A larger one would lose its upper bits on the wire, and mean another. */
const largest = 2n ** 63n - 1n;

/** @returns the number @throws TypeError unless it is a bigint; RangeError if it does not fit into signed 64 bits */
export function checkInt64(value: bigint, what: string): bigint {
  if (typeof value !== 'bigint') throw new TypeError(`${what} must be a bigint`);
  if (value > largest || value < -largest - 1n)
    throw new RangeError(`${what} does not fit into 64 bits: ${value}`);
  return value;
}
