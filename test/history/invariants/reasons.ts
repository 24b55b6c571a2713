import { textOf } from '../facts.js';
import type { Life } from '../lives.js';
import type { Operation, Violation } from '../record.js';

/** Of a program that does nothing but lose its sessions: nobody removes anything by hand, and all ask for what there is. */
const unexpected: ReadonlySet<string> = new Set(['CONFLICT', 'ALREADY_EXISTS', 'ALREADY_HELD']);
/** What no fault explains. */
const inexplicable: ReadonlySet<string> = new Set([
  'COMPACTED',
  'FUTURE_REVISION',
  'AUTH',
  'UNSUPPORTED',
  'INVALID_REQUEST',
  'INVALID_VALUE',
]);

/**
 * I10: no error without a reason. As long as no session has ended, no ticket is missing; and whoever gives back what is his
 * is not told that he had lost it.
 *
 * @param sessions the prefix of their keys
 * @param ttlMs of the sessions: one that has lived on for longer has not been lost
 */
export function judgeReasons(
  operations: readonly Operation[],
  lives: readonly Life[],
  { sessions, ttlMs }: { readonly sessions: string; readonly ttlMs: number },
): Violation[] {
  const own = lives.filter(({ key }) => key.startsWith(sessions) && !key.includes('/', sessions.length));
  const firstEnd = Math.min(...own.map(({ deletedAt }) => deletedAt));
  // Late copies of what began it may put its key again, when it has long been over.
  const endOf = ({ lease, createdAt }: Life): number =>
    own.find((each) => each.lease === lease && each.deletedAt >= createdAt)?.deletedAt ?? 0;
  const tickets = new Map(lives.map((life) => [life.key, life]));
  return operations.flatMap(({ call, client, error = '', input, returnedAt }) => {
    const complain = (what: string): Violation[] => [
      { rule: 'I10', what: `${client} at ${returnedAt}: ${what}` },
    ];
    if (unexpected.has(error) && returnedAt < firstEnd) return complain(`${call} ended with ${error}`);
    if (error !== 'HOLD_LOST' || !['release', 'resign'].includes(call)) return [];
    const ticket = tickets.get(textOf(input, 'key'));
    if (!ticket || ticket.deletedAt > returnedAt) return [];
    return endOf(ticket) > returnedAt + ttlMs
      ? complain(`${ticket.key} was given back, and is called lost`)
      : [];
  });
}

/** I10: no error that nothing explains, whatever the faults. */
export function judgeErrors(operations: readonly Operation[]): Violation[] {
  return operations
    .filter(({ error = '' }) => inexplicable.has(error))
    .map(({ call, client, error = '', returnedAt }) => {
      return { rule: 'I10', what: `${client} at ${returnedAt}: ${call} ended with ${error}` };
    });
}
