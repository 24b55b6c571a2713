import { atOnce } from '../session/at-once.js';
import { onceInAnySession } from '../session/once.js';
import { encodeTicket } from '../session/ticket-value.js';
import { compare, put, remove } from '../store/operations.js';
import type { QueueParts } from './settle.js';

/** For all processes; whoever takes a job compares it. Done once: a late copy cannot undo what came after. */
export async function setPaused({ connection, layout }: QueueParts, isPaused: boolean): Promise<void> {
  const { holder, runtime } = connection.options;
  const ops = isPaused
    ? [put(layout.paused, encodeTicket(holder, runtime.wallNow()))]
    : [remove(layout.paused)];
  const unlessSo = compare.createRevision(layout.paused, isPaused ? '=' : '>', 0n);
  await atOnce(connection, `${layout.title}: ${isPaused ? 'pause' : 'resume'}`, ({ signal }) =>
    onceInAnySession(connection, { if: [unlessSo], then: ops }, signal),
  );
}
