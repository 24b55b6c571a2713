import { AsyncLocalStorage } from 'node:async_hooks';
import type { Admitted } from './admitted.js';
import type { Demand } from './demand.js';

/** What a hold stands on, and what it was asked for as. */
export interface Granted {
  readonly admitted: Admitted;
  /** undefined: it cannot be asked for again as anything. */
  readonly demand: Demand | undefined;
}

/** A hold that a callback runs under; undefined once it has been lost or given back. Looks at the clock. */
type Holding = () => Granted | undefined;

const storage = new AsyncLocalStorage<readonly Holding[]>();

/** What is over is forgotten: one callback may start the next, and that for ever. */
export function runUnder<T>(holding: Holding, work: () => T): T {
  const around = storage.getStore() ?? [];
  return storage.run([...around.filter((outer) => outer() !== undefined), holding], work);
}

/**
 * What the callbacks around the present code (`run`, `lead`) hold, outermost first: whoever acquires one of these again
 * would wait for itself. What a callback has started can outlive it, and its hold.
 *
 * A hold from `acquire()` is not among them: whose code runs under it cannot be told.
 */
export function grantedHere(): readonly Granted[] {
  return (storage.getStore() ?? []).map((holding) => holding()).filter((granted) => granted !== undefined);
}
