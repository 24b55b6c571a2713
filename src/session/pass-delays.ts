import { type Wait, withOwnSignal } from '../base/wait.js';
import type { Ticket } from './ticket.js';

/**
 * Resolves when the ticket counts in each of its lines. They are waited for at the same time: one lock delay, however many
 * of them somebody held who has crashed.
 *
 * @throws as `LockDelay.pass`
 */
export async function passDelays(ticket: Ticket, wait: Wait): Promise<void> {
  const { session, createRevision, spots } = ticket;
  if (!spots.some(({ line }) => line.delay)) return;
  const onWaiting = (what: string): void => void (wait.obstacle = what);
  await withOwnSignal(wait.signal, (over) =>
    Promise.all(
      spots.map(async ({ line, key, taken }) =>
        line.delay?.pass({ session, key, createRevision, settings: taken.settings }, over, onWaiting),
      ),
    ),
  );
  wait.obstacle = '';
  await session.untilValid(wait.signal);
}
