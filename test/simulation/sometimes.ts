import type { World } from '../../src/testing/index.js';
import type { Entry } from '../history/record.js';
import { probes } from './probes.js';

/**
 * How often something has happened, over all runs of a batch: a probe point was passed, a call came to an end (`acquire:
 * ok`, `write: FENCED_OUT`), a client was told something (`lost: revoked`), a fault was struck. What never happened has
 * not been tested.
 */
export class Sometimes {
  readonly counts: Map<string, number> = new Map();

  follow(world: World): void {
    for (const name of probes) world.onProbe(name, () => this.#add(name));
  }

  read(entries: readonly Entry[]): void {
    const calls = new Map<string, string>();
    for (const entry of entries) {
      if (entry.kind === 'invoke') calls.set(entry.id, entry.call);
      else if (entry.kind === 'return')
        this.#add(`${calls.get(entry.id) ?? ''}: ${entry.error ?? entry.outcome}`);
      else this.#add(entry.what);
    }
  }

  #add(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}
