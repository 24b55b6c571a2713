import { setTimeout as delay } from 'node:timers/promises';

import type { Random } from '../../../src/testing/random.js';
import { callGateway, revisionByGateway, statusByGateway } from '../rig/gateway.js';
import type { Rig } from '../rig/rig.js';
import type { Nemesis, Scene } from './nemesis.js';
import { anyMember, leader } from './targets.js';

/** What storms write down, and how often. */
export const compacted = { note: 'history was compacted', intervalMs: 200 };
export const defragmented = { note: 'a member was defragmented', intervalMs: 5_000 };

/** Forgets all but the present. */
const compaction: Nemesis = {
  name: 'history compacted',
  needs: [],
  begin: async ({ rig }) => {
    await compact(rig);
    return async () => {}; // what is forgotten stays so
  },
};

/** The member answers nothing meanwhile. */
const defragmentation: Nemesis = {
  name: 'a member defragmented',
  needs: [],
  begin: async (scene, random) => {
    const endpoint = scene.rig.endpoints[await anyMember.aim(scene, random)] ?? '';
    await callGateway(endpoint, 'maintenance/defragment', {}, 30_000);
    return async () => {};
  },
};

/** Does it over and over, and writes down each time that it has. @param act false if there was nothing to do */
function storm(
  name: string,
  { note, intervalMs }: typeof compacted,
  act: (scene: Scene, random: Random) => Promise<boolean>,
): Nemesis {
  const begin: Nemesis['begin'] = async (scene, random) => {
    const end = new AbortController();
    const { signal } = end;
    const raging = (async () => {
      while (!signal.aborted) {
        // Another fault may keep it from that for a while.
        if (await act(scene, random).catch(() => false)) scene.tell?.(note);
        await delay(intervalMs, undefined, { signal }).catch(() => {});
      }
    })();
    return async () => {
      end.abort();
      await raging;
    };
  };
  return { name, needs: [], begin };
}

const compactions = storm('history compacted all the time', compacted, ({ rig }) => compact(rig));

/** One of them at a time. */
const defragmentations = storm('members defragmented all the time', defragmented, async (scene, random) => {
  await defragmentation.begin(scene, random);
  return true;
});

/**
 * The alarm that a member raises whose quota is full: from then on the cluster takes no puts and no grants. Raised by
 * hand, so that no cluster needs a small quota, and nothing is left that would raise it again.
 */
const outOfSpace: Nemesis = {
  name: 'out of space',
  needs: [],
  begin: async ({ rig }) => {
    const memberID = await anyAnswer(rig, async (endpoint) => (await statusByGateway(endpoint)).id);
    const set = (action: string): Promise<unknown> =>
      anyAnswer(rig, (endpoint) =>
        callGateway(endpoint, 'maintenance/alarm', { action, memberID, alarm: 'NOSPACE' }),
      );
    await set('ACTIVATE');
    return async () => {
      await set('DEACTIVATE');
    };
  },
};

const leaderStarved: Nemesis = {
  name: 'the leader without a processor',
  needs: ['cpu quota'],
  begin: async (scene, random) => scene.rig.limitCpu(await leader.aim(scene, random), 1),
};

/** @returns false if nothing has been written since the last time */
function compact(rig: Rig): Promise<boolean> {
  return anyAnswer(rig, async (endpoint) => {
    const revision = await revisionByGateway(endpoint);
    try {
      await callGateway(endpoint, 'kv/compaction', { revision, physical: true });
      return true;
    } catch (error) {
      if (String(error).includes('has been compacted')) return false;
      throw error;
    }
  });
}

/** Of the first member that answers. */
async function anyAnswer<T>(rig: Rig, ask: (endpoint: string) => Promise<T>): Promise<T> {
  const errors: unknown[] = [];
  for (const endpoint of rig.endpoints) {
    try {
      return await ask(endpoint);
    } catch (error) {
      errors.push(error);
    }
  }
  throw new AggregateError(errors, 'no member does it');
}

export const maintenanceNemeses: readonly Nemesis[] = [
  compaction,
  compactions,
  defragmentation,
  defragmentations,
  outOfSpace,
  leaderStarved,
];
