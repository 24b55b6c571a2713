import type { World } from '../../src/testing/index.js';
import type { Actor } from './actor.js';

/** Undoes all there is to undo. @param armed what lies in wait */
export function mend(world: World, actors: readonly Actor[], armed: ReadonlySet<{ cancel(): void }>): void {
  for (const trap of armed) trap.cancel();
  for (const endpoint of world.endpoints) world.wake(endpoint);
  world.engine.noSpace = false;
  for (const { peer } of actors) {
    peer.transport.faults.clear();
    world.heal(peer);
    world.latency(peer, {});
    world.lagWatches(peer, 0);
    world.resume(peer);
  }
}
