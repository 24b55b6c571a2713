import type { KeyValue } from '../store/results.js';
import { describeTicket } from './ticket-value.js';

/** What stands in the way of whoever waits, in words: the ends of messages. */

export const noAnswer = '; the store has not answered yet';

export function describeBlockers([oldest, ...others]: readonly KeyValue[], start: string): string {
  if (!oldest) return '';
  const more = others.length > 0 ? `, and ${others.length} more before us` : '';
  return `${start} held by ${describeTicket(oldest)}${more}`;
}

/** What to do about asking for what one holds. @param isReentrant undefined: there is no such choice */
export function hintFor(isReentrant: boolean | undefined): string {
  if (isReentrant) return 'what it holds was asked for in another way: other names, or another mode';
  return `pass the hold on${isReentrant === undefined ? '' : ', or use `reentrant`'}`;
}
