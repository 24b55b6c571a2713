const maxId = 2n ** 64n - 1n;

/** Of a member. @throws TypeError, RangeError */
export function checkId(id: bigint, what: string): bigint {
  if (typeof id !== 'bigint') throw new TypeError(`${what} must be a bigint`);
  if (id <= 0n || id > maxId) throw new RangeError(`${what} must be from 1 to 2^64 - 1, got ${id}`);
  return id;
}

/** Of a user or role; also a password. @throws TypeError */
export function checkText(text: string, what: string): string {
  if (typeof text !== 'string') throw new TypeError(`${what} must be a string`);
  if (text === '') throw new TypeError(`${what} must not be empty`);
  // A lone surrogate would silently become U+FFFD.
  if (!text.isWellFormed()) throw new TypeError(`${what} contains a lone surrogate`);
  return text;
}
