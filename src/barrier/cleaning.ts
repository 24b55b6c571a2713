import type { Session } from '../session/session.js';

/** What goes on after a call has ended. */
export interface Cleaning {
  /** Whether it rejects does not matter. */
  add(work: Promise<unknown>): void;
}

/**
 * Settles as `work` does. `close` waits for it, and for what it leaves to be cleaned up, from the beginning: what that is may
 * turn out only when it has ended.
 */
export async function withCleaning<T>(
  session: Session,
  work: (cleaning: Cleaning) => Promise<T>,
): Promise<T> {
  const left: Promise<unknown>[] = [];
  const result = work({ add: (each) => void left.push(each.catch(() => {})) });
  session.chore(
    result.then(
      () => Promise.all(left).then(() => {}),
      () => Promise.all(left).then(() => {}),
    ),
  );
  return result;
}
