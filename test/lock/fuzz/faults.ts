import type { RequestTo, World } from '../../../src/testing/index.js';
import type { LineJudge } from '../../model/line-judge.js';
import type { FuzzClient } from './client.js';
import type { Dice } from './dice.js';

/** Where a fault strikes, and what it may use. */
export interface Scene {
  readonly world: World;
  readonly dice: Dice;
  readonly client: FuzzClient;
  readonly judge: LineJudge;
  readonly crash: (client: FuzzClient) => void;
  readonly leave: (client: FuzzClient) => void;
  /** Its leases are about to end before their time. */
  readonly beforeRevoke: (client: FuzzClient) => void;
  /** Faults that wait at a probe point. */
  readonly armed: Set<{ cancel(): void }>;
}

interface FuzzFault {
  readonly name: string;
  readonly weight: number;
  readonly strike: (scene: Scene) => void;
}

const directions = ['both', 'requests', 'replies'] as const;
const mutations = ['txn', 'txn', 'txn', 'leaseGrant', 'leaseRevoke'] as const;
const targets = ['txn', 'txn', 'get', 'leaseGrant', 'leaseRevoke', 'keepAlive'] as const;
const probes = [
  'ticket.take',
  'ticket.taken',
  'ticket.waiting',
  'line.watching',
  'hold.granted',
  'hold.release',
  'session.granted',
  'keep-alive.send',
] as const;

/** The way to a client, to all members or to one. */
const partitions: readonly FuzzFault[] = [
  {
    name: 'partition',
    weight: 2,
    strike: ({ world, dice, client }) => world.partition(client.peer, { blocks: dice.pick(directions) }),
  },
  {
    name: 'partition from one member',
    weight: 2,
    strike: ({ world, dice, client }) =>
      world.partition(client.peer, {
        endpoint: dice.pick(world.endpoints),
        blocks: dice.pick(directions),
        refuses: dice.oneIn(2),
      }),
  },
  {
    name: 'refusal',
    weight: 1,
    strike: ({ world, client }) => world.partition(client.peer, { refuses: true }),
  },
  {
    name: 'partition at a probe point',
    weight: 2,
    strike: (scene) =>
      atProbe(scene, ({ world, dice, client }) =>
        world.partition(client.peer, { blocks: dice.pick(directions), refuses: dice.oneIn(3) }),
      ),
  },
  { name: 'heal', weight: 6, strike: ({ world, client }) => world.heal(client.peer) },
  {
    name: 'latency',
    weight: 1,
    strike: ({ world, dice, client }) =>
      world.latency(client.peer, dice.pick([{}, { requestMs: [0, 300], replyMs: [0, 300] }])),
  },
  {
    name: 'watch lag',
    weight: 1,
    strike: ({ world, dice, client }) => world.lagWatches(client.peer, dice.pick([0, [0, 800] as const])),
  },
  {
    name: 'broken streams',
    weight: 2,
    strike: ({ world, dice, client }) => world.breakStreams(client.peer, dice.pick(['watch', 'keepAlive'])),
  },
  {
    name: 'stale terms',
    weight: 1,
    strike: ({ world, dice, client }) =>
      world.staleTerms(client.peer, { endpoint: dice.pick(world.endpoints) }),
  },
];

const processes: readonly FuzzFault[] = [
  { name: 'pause', weight: 2, strike: ({ world, client }) => world.pause(client.peer) },
  {
    name: 'pause at a probe point',
    weight: 2,
    strike: (scene) => atProbe(scene, ({ world, client }) => world.pause(client.peer)),
  },
  {
    name: 'suspend',
    weight: 2,
    strike: ({ world, client }) => {
      if (client.maySleep) world.suspend(client.peer);
    },
  },
  { name: 'resume', weight: 6, strike: ({ world, client }) => world.resume(client.peer) },
  {
    name: 'wall clock set',
    weight: 1,
    strike: ({ world, dice, client }) =>
      world.jumpWall(client.peer, dice.pick([client.maySleep ? 1_000 : -5_000, 5_000, 60_000])),
  },
  { name: 'crash', weight: 0.4, strike: ({ client, crash }) => crash(client) },
  {
    name: 'crash at a probe point',
    weight: 0.4,
    strike: (scene) => atProbe(scene, ({ client, crash }) => crash(client)),
  },
  { name: 'close', weight: 0.4, strike: ({ client, leave }) => leave(client) },
];

const requests: readonly FuzzFault[] = [
  {
    name: 'lost request',
    weight: 2,
    strike: ({ world, dice, client }) =>
      void world.dropRequest(client.peer, { method: dice.pick(targets), isSilent: dice.oneIn(2) }),
  },
  {
    name: 'lost reply',
    weight: 3,
    strike: ({ world, dice, client }) =>
      void world.dropReply(client.peer, { method: dice.pick(targets), isSilent: dice.oneIn(2) }),
  },
  {
    name: 'lost answer to a take',
    weight: 3,
    strike: ({ world, dice, client }) => {
      const options = { method: 'txn', where: isTake, isSilent: dice.oneIn(2) } as const;
      if (dice.oneIn(2)) world.dropReply(client.peer, options);
      else world.delayRequest(client.peer, { ...options, ms: dice.below(6_000) });
    },
  },
  {
    name: 'late request',
    weight: 2,
    strike: ({ world, dice, client }) =>
      void world.delayRequest(client.peer, {
        method: dice.pick(mutations),
        ms: dice.below(6_000),
        isSilent: dice.oneIn(2),
      }),
  },
  {
    name: 'late reply',
    weight: 1,
    strike: ({ world, dice, client }) =>
      void world.delayReply(client.peer, { method: dice.pick(targets), ms: dice.below(4_000) }),
  },
  {
    name: 'repeated request',
    weight: 2,
    strike: ({ world, dice, client }) =>
      void world.repeatRequest(client.peer, {
        method: dice.pick(mutations),
        ms: dice.below(6_000),
        isSilent: dice.oneIn(2),
      }),
  },
];

const store: readonly FuzzFault[] = [
  { name: 'silence', weight: 1.5, strike: ({ world, dice }) => world.silence(dice.pick(world.endpoints)) },
  { name: 'wake', weight: 1.5, strike: ({ world }) => world.endpoints.forEach((each) => world.wake(each)) },
  { name: 'leader change', weight: 1, strike: ({ world }) => world.leaderChange() },
  {
    name: 'compaction under watches',
    weight: 1.5,
    strike: ({ world, client, judge }) => judge.compacting(() => world.compactUnderWatches(client.peer)),
  },
  {
    name: 'quota',
    weight: 2,
    strike: ({ world, dice }) => (world.engine.noSpace = dice.oneIn(3)),
  },
  { name: 'early revoke', weight: 0.5, strike: revokeEarly },
  {
    name: 'early revoke that a holder cannot hear of',
    weight: 0.5,
    strike: (scene) =>
      atProbe(
        scene,
        ({ world, client }) => {
          world.partition(client.peer);
          revokeEarly(scene);
        },
        'hold.granted',
      ),
  },
];

const faults = [...partitions, ...processes, ...requests, ...store];

/** @returns the name of what was done */
export function strike(scene: Scene): string {
  const fault = scene.dice.pickWeighted(faults);
  fault.strike(scene);
  return fault.name;
}

/** Undoes all there is to undo. */
export function mend(
  world: World,
  { clients, armed }: Pick<Scene, 'armed'> & { clients: readonly FuzzClient[] },
): void {
  for (const fault of armed) fault.cancel();
  for (const endpoint of world.endpoints) world.wake(endpoint);
  world.engine.noSpace = false;
  for (const { peer } of clients) {
    peer.transport.faults.clear();
    world.heal(peer);
    world.latency(peer, {});
    world.lagWatches(peer, 0);
    world.resume(peer);
  }
}

/** Once, the next time the client passes this point, or one drawn by chance. */
function atProbe(scene: Scene, hit: (scene: Scene) => void, probe?: (typeof probes)[number]): void {
  const { world, dice, client, armed } = scene;
  const fault = world.onProbe(
    probe ?? dice.pick(probes),
    () => {
      fault.cancel();
      if (client.state === 'living') hit(scene);
    },
    { client: client.peer },
  );
  armed.add(fault);
}

/** It alone looks at the session's epoch. */
function isTake({ if: compares }: RequestTo<'txn'>): boolean {
  return compares.some(({ target }) => target === 'modRevision');
}

function revokeEarly({ world, dice, client, beforeRevoke }: Scene): void {
  const { leases } = client.peer.transport;
  const { leases: living } = world.engine.execute('leaseList', {});
  if (!living.some((lease) => leases.has(lease))) return;
  beforeRevoke(client);
  if (dice.oneIn(2)) world.stalledLeaderRevokes(client.peer);
  else for (const lease of leases) world.engine.expireLease(lease);
}
