import { setTimeout as delay } from 'node:timers/promises';

import { callGateway, revisionByGateway, statusByGateway } from '../rig/gateway.js';
import type { Rig } from '../rig/rig.js';
import type { Nemesis } from './nemesis.js';
import { anyMember, leader } from './targets.js';

const stormIntervalMs = 200;

/** Forgets all but the present. */
const compaction: Nemesis = {
  name: 'history compacted',
  needs: [],
  begin: async ({ rig }) => {
    await compact(rig);
    return async () => {}; // what is forgotten stays so
  },
};

const compactionStorm: Nemesis = {
  name: 'history compacted all the time',
  needs: [],
  begin: async ({ rig }) => {
    await compact(rig);
    const end = new AbortController();
    const storm = (async () => {
      while (!end.signal.aborted) {
        await compact(rig).catch(() => {}); // another fault may keep it from that for a while
        await delay(stormIntervalMs, undefined, { signal: end.signal }).catch(() => {});
      }
    })();
    return async () => {
      end.abort();
      await storm;
    };
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

const defragmentationIntervalMs = 5_000;

/** One of them each 5 seconds. */
const defragmentations: Nemesis = {
  name: 'members defragmented all the time',
  needs: [],
  begin: async (scene, random) => {
    const end = new AbortController();
    const { signal } = end;
    const storm = (async () => {
      while (!signal.aborted) {
        // Another fault may keep it from that.
        await defragmentation.begin(scene, random).catch(() => {});
        await delay(defragmentationIntervalMs, undefined, { signal }).catch(() => {});
      }
    })();
    return async () => {
      end.abort();
      await storm;
    };
  },
};

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

async function compact(rig: Rig): Promise<void> {
  await anyAnswer(rig, async (endpoint) => {
    const revision = await revisionByGateway(endpoint);
    await callGateway(endpoint, 'kv/compaction', { revision, physical: true }).catch(ignoreCompacted);
  });
}

/** Nothing has been written since. */
function ignoreCompacted(error: unknown): void {
  if (!String(error).includes('has been compacted')) throw error;
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
  compactionStorm,
  defragmentation,
  defragmentations,
  outOfSpace,
  leaderStarved,
];
