import type { Random } from '../../../src/testing/random.js';
import type { Quality } from '../rig/links.js';
import { between, client, from, type Link, member, type Node } from '../rig/node.js';
import type { Need, Rig } from '../rig/rig.js';
import type { Nemesis, Scene } from './nemesis.js';
import { anyClient, anyMember, holder, leader, othersThan, pick, range, type Target } from './targets.js';

const membersOf = (rig: Rig): Node[] => range(rig.members).map(member);
const clientsOf = (rig: Rig): Node[] => range(rig.clients).map(client);

type Choice = (scene: Scene, random: Random) => Promise<readonly Link[]>;

function cutting(name: string, needs: readonly Need[], choose: Choice): Nemesis {
  const begin: Nemesis['begin'] = async (scene, random) => scene.rig.links.cut(await choose(scene, random));
  return { name, needs, begin };
}

/** Each chooses some clients, to be with one member, cut off from the majority. */
function minority(
  name: string,
  target: Target,
  choose: (scene: Scene, random: Random) => Promise<number[]>,
): Nemesis {
  return cutting(name, ['netns', 'three members'], async (scene, random) => {
    const alone = await target.aim(scene, random);
    const places = (await choose(scene, random)).map(client);
    const side = [member(alone), ...places];
    const rest = [...membersOf(scene.rig), ...clientsOf(scene.rig)].filter((node) => !side.includes(node));
    return between(side, rest);
  });
}

function fromPeers(target: Target): Nemesis {
  return cutting(
    `${target.name} cut off from its peers`,
    ['netns', 'three members'],
    async (scene, random) => {
      const alone = await target.aim(scene, random);
      return between([member(alone)], othersThan(scene.rig.members, alone).map(member));
    },
  );
}

function fromOneMember(name: string, target: Target, links: (place: Node, member: Node) => Link[]): Nemesis {
  return cutting(name, [], async (scene, random) =>
    links(client(await target.aim(scene, random)), member(await anyMember.aim(scene, random))),
  );
}

function fromAllMembers(target: Target): Nemesis {
  return cutting(`${target.name} cut off from all members`, [], async (scene, random) =>
    between([client(await target.aim(scene, random))], membersOf(scene.rig)),
  );
}

const oneWay = (name: string, links: (one: Node, others: Node[]) => Link[], target: Target): Nemesis =>
  cutting(name, ['netns', 'three members'], async (scene, random) => {
    const one = await target.aim(scene, random);
    const other = pick(random, othersThan(scene.rig.members, one));
    return links(member(one), [member(other)]);
  });

function unplugging(target: Target, node: (index: number) => Node): Nemesis {
  return {
    name: `${target.name} unplugged`,
    needs: ['netns'],
    begin: async (scene, random) => scene.rig.links.unplug(node(await target.aim(scene, random))),
  };
}

/** Between everybody. */
function degrading(name: string, draw: (random: Random) => Quality): Nemesis {
  return {
    name,
    needs: ['netns'],
    begin: async ({ rig }, random) => {
      const everybody = [...membersOf(rig), ...clientsOf(rig)];
      return rig.links.degrade(from(everybody, everybody), draw(random));
    },
  };
}

const responsesLost: Nemesis = {
  name: 'responses to a client lost',
  needs: ['loopback'],
  begin: async (scene, random) => {
    const place = client(await anyClient.aim(scene, random));
    const resetAfterMs = Math.round(random.between(0, 200));
    return scene.rig.links.loseResponses(from(membersOf(scene.rig), [place]), resetAfterMs);
  },
};

const halfOfTheClients = async ({ rig }: Scene, random: Random): Promise<number[]> =>
  range(rig.clients).filter(() => random.next() < 0.5);

export const networkNemeses: readonly Nemesis[] = [
  fromPeers(leader),
  minority('the leader alone with some clients', leader, halfOfTheClients),
  minority('a member alone with some clients', anyMember, halfOfTheClients),
  minority('a member alone with the holder', anyMember, async (...aim) => [await holder.aim(...aim)]),
  oneWay('the leader unheard by a follower', (one, others) => from([one], others), leader),
  oneWay('the leader deaf to a follower', (one, others) => from(others, [one]), leader),
  oneWay('two members apart', (one, others) => between([one], others), anyMember),
  fromOneMember('a client cut off from a member', anyClient, (place, other) => between([place], [other])),
  fromOneMember('a client unheard by a member', anyClient, (place, other) => from([place], [other])),
  fromOneMember('a client deaf to a member', anyClient, (place, other) => from([other], [place])),
  fromOneMember('the holder deaf to a member', holder, (place, other) => from([other], [place])),
  fromAllMembers(anyClient),
  fromAllMembers(holder),
  unplugging(leader, member),
  unplugging(anyMember, member),
  unplugging(holder, client),
  degrading('packets lost', (random) => ({ loss: random.between(0.1, 0.5) })),
  degrading('packets late', () => ({ delayMs: 40, jitterMs: 10 })),
  degrading('packets doubled', (random) => ({ duplicates: random.between(0.02, 0.2) })),
  degrading('packets late, lost and doubled', () => ({
    delayMs: 40,
    jitterMs: 10,
    loss: 0.05,
    duplicates: 0.02,
  })),
  responsesLost,
];
