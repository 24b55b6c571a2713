import type { Undo } from '../rig/links.js';
import type { Launched } from '../rig/launched.js';
import type { Nemesis, Scene } from './nemesis.js';
import { anyClient, anyMember, holder, leader, type Target } from './targets.js';

function memberKilled(target: Target): Nemesis {
  return {
    name: `${target.name} killed`,
    needs: [],
    begin: async (scene, random) => {
      const { cluster } = scene.rig;
      const killed = await target.aim(scene, random);
      await cluster.kill(killed);
      return once(() => cluster.restart(killed));
    },
  };
}

const allMembersKilled: Nemesis = {
  name: 'all members killed',
  needs: [],
  begin: async ({ rig: { cluster } }) => {
    await Promise.all(cluster.endpoints.map((_, member) => cluster.kill(member)));
    return once(() => cluster.restartAll());
  },
};

function memberStopped(target: Target): Nemesis {
  return {
    name: `${target.name} stopped`,
    needs: [],
    begin: async (scene, random) => {
      const stopped = await target.aim(scene, random);
      scene.rig.cluster.stop(stopped);
      return async () => scene.rig.cluster.cont(stopped);
    },
  };
}

function memberFrozen(target: Target): Nemesis {
  return {
    name: `${target.name} frozen`,
    needs: ['freezer'],
    begin: async (scene, random) => scene.rig.freezeMember(await target.aim(scene, random)),
  };
}

function clientKilled(target: Target): Nemesis {
  return {
    name: `${target.name} killed`,
    needs: [],
    begin: async (scene, random) => {
      const place = await target.aim(scene, random);
      await clientAt(scene, place).kill();
      return once(async () => scene.revive?.(place));
    },
  };
}

function clientStopped(target: Target): Nemesis {
  return {
    name: `${target.name} stopped`,
    needs: [],
    begin: async (scene, random) => {
      const stopped = clientAt(scene, await target.aim(scene, random));
      await stopped.stop();
      return async () => stopped.cont();
    },
  };
}

function clientFrozen(target: Target): Nemesis {
  return {
    name: `${target.name} frozen`,
    needs: ['freezer'],
    begin: async (scene, random) => scene.rig.freezeClient(await target.aim(scene, random)),
  };
}

function clientAt({ rig }: Scene, place: number): Launched {
  const client = rig.client(place);
  if (!client) throw new Error(`there is no client at place ${place}`);
  return client;
}

/** What is undone twice must not end what came after it. */
function once(undo: Undo): Undo {
  let undone: Promise<void> | undefined;
  return () => (undone ??= undo());
}

export const processNemeses: readonly Nemesis[] = [
  ...[leader, anyMember].flatMap((target) => [
    memberKilled(target),
    memberStopped(target),
    memberFrozen(target),
  ]),
  allMembersKilled,
  ...[holder, anyClient].flatMap((target) => [
    clientKilled(target),
    clientStopped(target),
    clientFrozen(target),
  ]),
];
