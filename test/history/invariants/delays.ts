import type { Life } from '../lives.js';
import type { Change, Violation } from '../record.js';

/** Clocks go at most a tenth too fast. */
const fastest = 1.1;

/**
 * The lock delay of a line: nobody overwrites the mark of a holder that was lost before so much time has passed since its
 * ticket went, by his clock. Whoever gives it back in order removes his mark.
 *
 * @param marker the key of the mark: its value is a ticket
 */
export function judgeDelays(
  changes: readonly Change[],
  lives: readonly Life[],
  { marker, delayMs }: { readonly marker: string; readonly delayMs: number },
): Violation[] {
  const tickets = new Map(lives.map((life) => [life.key, life]));
  const violations: Violation[] = [];
  let last = '';
  for (const { key, type, value, at, revision } of changes) {
    if (key !== marker) continue;
    const goneAt = tickets.get(last)?.deletedAt ?? -Infinity;
    if (type === 'put' && last !== '' && value !== last && at < goneAt + delayMs / fastest - 1) {
      const what = `${value} has passed at revision ${revision}, ${at - goneAt} ms after ${last} was lost`;
      violations.push({ rule: 'delay', what });
    }
    last = type === 'put' ? value : '';
  }
  return violations;
}
