import { AsyncLocalStorage } from 'node:async_hooks';
import type { HoldFacts } from '../base/errors.js';
import type { Store } from '../store/store.js';
import type { Admitted } from './admitted.js';
import type { Demand } from './demand.js';
import type { Line } from './line.js';

/** A hold, as whoever wants the same again sees it. */
export interface Scoped extends HoldFacts {
  /** Whether it keeps others out of one of these lines. Looks at the clock. */
  standsIn(store: Store, lines: readonly Line[]): boolean;
  /** What a second hold like this one can stand on; undefined if the demand or the lines are others. */
  again(demand: Demand, lines: readonly Line[]): Admitted | undefined;
}

const storage = new AsyncLocalStorage<readonly Scoped[]>();

export function runUnder<T>(hold: Scoped, work: () => T): T {
  return storage.run([...holdsHere(), hold], work);
}

/**
 * The holds under which the present code runs: those of the callbacks around it (`run`, `lead`), outermost first. Whoever
 * acquires one of them again would wait for itself. Some may have ended since: what a callback has started can outlive it.
 *
 * A hold from `acquire()` is not among them: whose code runs under it cannot be told.
 */
export function holdsHere(): readonly Scoped[] {
  return storage.getStore() ?? [];
}
