import type { Random } from '../../../src/testing/random.js';
import type { Scene } from './nemesis.js';

/** Aims: at a member or at the place of a client. Rejects if there is none. */
export interface Target {
  readonly name: string;
  aim(scene: Scene, random: Random): Promise<number>;
}

export const anyMember: Target = {
  name: 'a member',
  aim: async ({ rig }, random) => pick(random, range(rig.members)),
};

/** Any member, if nobody knows of a leader. */
export const leader: Target = {
  name: 'the leader',
  aim: async (scene, random) => (await scene.rig.leader()) ?? anyMember.aim(scene, random),
};

/** One that runs. */
export const anyClient: Target = {
  name: 'a client',
  aim: async ({ rig }, random) => {
    const running = range(rig.clients).filter((place) => rig.client(place) !== undefined);
    if (running.length === 0) throw new Error('there is no client to aim at');
    return pick(random, running);
  },
};

/** Any client, if nobody is known to hold. */
export const holder: Target = {
  name: 'the holder',
  aim: async (scene, random) => {
    const place = await scene.holder?.();
    const isThere = place !== undefined && scene.rig.client(place) !== undefined;
    return isThere ? place : anyClient.aim(scene, random);
  },
};

export function pick<T>(random: Random, list: readonly T[]): T {
  const picked = list[Math.floor(random.between(0, list.length))];
  if (picked === undefined) throw new RangeError('there is nothing to pick from');
  return picked;
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** All but one. */
export const othersThan = (count: number, index: number): number[] => range(count).filter((i) => i !== index);
