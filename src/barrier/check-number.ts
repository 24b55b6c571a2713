/** @throws TypeError, RangeError unless it is a whole number from 1 */
export function checkNumber(count: number, what: string, most: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof count !== 'number') throw new TypeError(`${what} must be a number`);
  if (!Number.isSafeInteger(count) || count < 1 || count > most) {
    const end = most === Number.MAX_SAFE_INTEGER ? ', 1 or more' : ` from 1 to ${most}`;
    throw new RangeError(`${what} must be a whole number${end}; got ${count}`);
  }
  return count;
}
