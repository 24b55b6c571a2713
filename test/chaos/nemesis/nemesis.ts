import type { Random } from '../../../src/testing/random.js';
import type { Undo } from '../rig/links.js';
import type { Need, Rig } from '../rig/rig.js';

/** What faults are aimed at. */
export interface Scene {
  readonly rig: Rig;
  /** The place of the client that holds what the run is about, if there is one and it is known. */
  holder?(): number | undefined | Promise<number | undefined>;
  /** Writes down what was done, for those faults that go on doing something. */
  tell?(what: string): void;
  /** Puts a client in the place of one that was killed. @default the place stays empty */
  revive?(client: number): Promise<void>;
}

/** A fault that begins and is undone. Several may be there at a time. */
export interface Nemesis {
  /** Unique. */
  readonly name: string;
  /** Without these it cannot begin: see `Rig.lacks`. */
  readonly needs: readonly Need[];
  /**
   * Resolves when the fault is there, with what undoes it; that resolves when it has. If it rejects, nothing is left of it.
   *
   * @throws MissedError if it was not there in time
   * @param random all that is drawn: the same seed aims at the same, as far as the run is in the same state
   */
  begin(scene: Scene, random: Random): Promise<Undo>;
}

/** Whoever it was aimed at has not come by: nothing was done, and nothing is armed any more. */
export class MissedError extends Error {
  override readonly name = 'MissedError';
}

/** Why it cannot begin with this rig, or undefined. */
export function lackOf(nemesis: Nemesis, rig: Rig): string | undefined {
  return nemesis.needs.map((need) => rig.lacks(need)).find((reason) => reason !== undefined);
}
