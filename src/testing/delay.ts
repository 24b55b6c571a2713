/** Milliseconds: always the same, or by chance from low to high. */
export type Delay = number | readonly [low: number, high: number];

/** @throws RangeError unless it is a time that can be waited for, and the high end not below the low one */
export function checkDelay(name: string, delay: Delay): void {
  const [low, high] = typeof delay === 'number' ? [delay, delay] : delay;
  checkMs(name, low);
  checkMs(name, high);
  if (high < low) throw new RangeError(`${name} goes from low to high, got ${low} to ${high}`);
}

/** @throws RangeError unless `ms` is finite and 0 or more: time would stand still, or never come */
export function checkMs(name: string, ms: number): void {
  if (!(ms >= 0 && ms < Infinity)) throw new RangeError(`${name} must be finite and 0 or more, got ${ms}`);
}
