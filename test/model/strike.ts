import { put } from '../../src/index.js';
import type { Op, TxnOp } from '../../src/store/operations.js';
import type { Probe, RequestTo, Target, World } from '../../src/testing/index.js';
import type { Actor } from './actor.js';
import type { LineJudge } from './line-judge.js';
import type { Aim, Fault, Mishap } from './steps.js';

export interface Scene {
  readonly world: World;
  readonly actorAt: (place: number) => Actor;
  /** Its leases are about to end before their time. */
  readonly beforeRevoke: (leases: Iterable<bigint>) => void;
  readonly judge: Pick<LineJudge, 'compacting'>;
  /** Faults that lie in wait. */
  readonly armed: Set<{ cancel(): void }>;
}

/** Lets something go wrong. */
export function strike(fault: Fault<Probe>, scene: Scene): void {
  const { world } = scene;
  if (!('by' in fault)) return strikeStore(fault, scene);
  const actor = scene.actorAt(fault.by);
  const { peer } = actor;
  switch (fault.do) {
    case 'expire':
      return endLeases(actor, fault.stalledLeader, scene);
    case 'crash':
      actor.state = 'crashed';
      return world.crash(peer);
    case 'pause':
    case 'suspend':
      actor.stops++;
      return world[fault.do](peer);
    case 'resume':
      return world.resume(peer);
    case 'heal':
      world.resume(peer);
      return world.heal(peer);
    case 'refuse':
      return world.partition(peer, { refuses: true });
    case 'partition':
      return world.partition(peer, { blocks: fault.blocks });
    case 'latency':
      return world.latency(peer, { requestMs: [0, fault.upToMs], replyMs: [0, fault.upToMs] });
    case 'lagWatches':
      return world.lagWatches(peer, [0, fault.upToMs]);
    case 'breakStreams':
      return world.breakStreams(peer, fault.kind);
    case 'compactUnderWatches':
      return scene.judge.compacting(() => world.compactUnderWatches(peer));
    case 'lose':
    case 'late':
      return befall(fault, fault.aim, actor, world);
    case 'ambush':
      return ambush(fault, actor, scene);
  }
}

function strikeStore(fault: Exclude<Fault<Probe>, { readonly by: number }>, scene: Scene): void {
  const { world } = scene;
  switch (fault.do) {
    case 'silence':
    case 'wake':
      return world[fault.do](world.endpoints[fault.member] ?? '');
    case 'leaderChange':
      return world.leaderChange();
    case 'quota':
      world.engine.noSpace = fault.isFull;
      return;
    case 'compact':
      return scene.judge.compacting(() => compact(world));
  }
}

function compact(world: World): void {
  const { noSpace } = world.engine;
  world.engine.noSpace = false;
  // The store refuses to compact the same revision twice.
  world.engine.execute('put', put('\0here', ''));
  world.engine.noSpace = noSpace;
  world.compact();
}

/** Once, the next time it comes by. */
function ambush({ by, at, fault }: Fault<Probe> & { do: 'ambush' }, actor: Actor, scene: Scene): void {
  const { world, armed } = scene;
  const trap = world.onProbe(at, spring, { client: actor.peer });
  armed.add(trap);
  function spring(): void {
    trap.cancel();
    if (!actor.isRunning) return;
    if (fault === 'expire') strike({ do: fault, by, stalledLeader: false }, scene);
    else if (fault === 'partition') strike({ do: fault, by, blocks: 'both' }, scene);
    else strike({ do: fault, by }, scene);
  }
}

function endLeases({ peer }: Actor, isStalledLeader: boolean, { world, beforeRevoke }: Scene): void {
  const { leases: living } = world.engine.execute('leaseList', {});
  const leases = living.filter((lease) => peer.transport.leases.has(lease));
  if (leases.length === 0) return;
  beforeRevoke(leases);
  if (isStalledLeader) world.stalledLeaderRevokes(peer);
  else for (const lease of leases) world.engine.expireLease(lease);
}

/** Something happens to the next request of this kind. */
export function befall(mishap: Mishap, aim: Aim, { peer }: Actor, world: World): void {
  const options = { ...targetOf(aim), isSilent: mishap.isSilent };
  if (mishap.do === 'lose') {
    if (mishap.part === 'request') world.dropRequest(peer, options);
    else world.dropReply(peer, options);
    return;
  }
  const late = { ...options, ms: mishap.lateMs };
  // A renewal is no request of its own: only its answer can be late.
  if (aim === 'keepAlive' || mishap.part === 'reply') world.delayReply(peer, late);
  else if (mishap.part === 'request') world.delayRequest(peer, late as never);
  else world.repeatRequest(peer, late as never);
}

interface AimedAt {
  readonly method: Target;
  readonly where?: (request: RequestTo<Target>) => boolean;
}

function targetOf(aim: Aim): AimedAt {
  switch (aim) {
    case 'take':
      return { method: 'txn', where: (request) => isTake(request as TxnOp) };
    case 'removal':
      return { method: 'txn', where: (request) => removes(request as TxnOp) };
    case 'txn':
    case 'get':
    case 'leaseGrant':
    case 'keepAlive':
      return { method: aim };
  }
}

/** It alone looks at the session's epoch. */
function isTake({ if: compares }: TxnOp): boolean {
  return compares.some(({ target }) => target === 'modRevision');
}

function removes(op: Op): boolean {
  return op.kind === 'remove' || (op.kind === 'txn' && op.then.some(removes));
}
