import { setTimeout as delay } from 'node:timers/promises';

import { putByGateway } from '../rig/gateway.js';
import type { Rig } from '../rig/rig.js';
import type { Nemesis } from './nemesis.js';
import { anyMember, leader, type Target } from './targets.js';

const stallMs = 12_000;
/** Nobody's: whoever judges what a run has left must leave it out. */
export const nemesisKey = 'nemesis/write-in-flight';

function diskSlow(target: Target): Nemesis {
  return {
    name: `the disk of ${target.name} slow`,
    needs: ['strace', 'fsync'],
    begin: async (scene, random) => scene.rig.slowDisk(await target.aim(scene, random), 300),
  };
}

/**
 * For 12 seconds the leader waits for its disk. Others elect another leader meanwhile and leases are renewed there; when
 * the disk goes on, the old one revokes all that it has not seen renewed, before it learns that it leads no more. What
 * undoes it waits for that.
 */
const leaderDiskStalled: Nemesis = {
  name: 'the disk of the leader stalled',
  needs: ['strace', 'fsync', 'three members'],
  begin: async (scene, random) => {
    const stalled = await leader.aim(scene, random);
    const disk = await scene.rig.stallDisk(stalled, stallMs);
    try {
      await untilWriteIsStuck(scene.rig, stalled);
    } catch (error) {
      await disk[Symbol.asyncDispose]();
      throw error;
    }
    return async () => {
      await Promise.race([disk.over, delay(stallMs + 1_000, undefined, { ref: false })]);
      await disk[Symbol.asyncDispose]();
    };
  },
};

/** A disk stalls nobody who does not write: writes to a member until one of them is not answered. */
export async function untilWriteIsStuck(rig: Rig, member: number): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    try {
      await putByGateway(rig.endpoints[member] ?? '', nemesisKey, String(tries), 500);
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError') return;
      throw error;
    }
  }
  throw new Error(`the member ${member} answers every write`);
}

export const diskNemeses: readonly Nemesis[] = [diskSlow(leader), diskSlow(anyMember), leaderDiskStalled];
