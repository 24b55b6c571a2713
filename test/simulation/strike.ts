import { put } from '../../src/index.js';
import type { Method } from '../../src/store/transport.js';
import type { Peer, World } from '../../src/testing/index.js';
import type { Facts } from '../history/record.js';
import type { Fault, Sudden } from './faults.js';

/** What a fault is struck on. */
export interface Scene {
  readonly world: World;
  /** Whoever sits there now. */
  readonly peerAt: (seat: number) => Peer;
  /** It has crashed: somebody else takes its seat after so long. */
  readonly replace: (seat: number, afterMs: number) => void;
  /** Its leases are about to end before their time, or it cannot know how much time has passed. */
  readonly robbed: (peer: Peer) => void;
  /** Writes down what was done to the run. */
  readonly tell: (what: string, facts: Facts) => void;
  /** Has something done after so long. */
  readonly later: (afterMs: number, undo: () => void) => void;
}

/** Lets something go wrong. */
export function strike(fault: Fault, scene: Scene): void {
  const { world, later } = scene;
  if (!('by' in fault)) return strikeStore(fault, scene);
  if (fault.do === 'ambush') return ambush(fault, scene);
  const peer = scene.peerAt(fault.by);
  if (peer.activity === 'crashed') return;
  switch (fault.do) {
    case 'pause':
    case 'suspend':
      return stop(fault.do, peer, fault.forMs, scene);
    case 'partition': {
      const { blocks, refuses, member } = fault;
      const endpoint = member === undefined ? {} : { endpoint: world.endpoints[member] ?? '' };
      world.partition(peer, { blocks, refuses, ...endpoint });
      return later(fault.forMs, () => world.heal(peer, endpoint));
    }
    case 'slow':
      world.latency(peer, { requestMs: [0, fault.upToMs], replyMs: [0, fault.upToMs] });
      return later(fault.forMs, () => world.latency(peer, {}));
    case 'lagWatches':
      world.lagWatches(peer, [0, fault.upToMs]);
      return later(fault.forMs, () => world.lagWatches(peer, 0));
    case 'staleTerms':
      world.staleTerms(peer);
      return later(fault.forMs, () => world.heal(peer));
    case 'crash':
      world.crash(peer);
      return scene.replace(fault.by, fault.forMs);
    case 'jumpWall':
      world.jumpWall(peer, fault.ms);
      if (fault.ms < 0) jumpedBack(peer, scene);
      return;
    case 'breakStreams':
      return world.breakStreams(peer, fault.kind);
    case 'expire':
      return endLeases(peer, fault.stalledLeader, scene);
    case 'compactUnderWatches':
      return void world.compactUnderWatches(peer);
    case 'loseRequest':
    case 'loseReply':
    case 'repeat':
    case 'delayRequest':
    case 'delayReply':
      return befall(fault, peer, world);
  }
}

function strikeStore(fault: Exclude<Fault, { readonly by: number }>, { world, later }: Scene): void {
  switch (fault.do) {
    case 'silence': {
      const endpoint = world.endpoints[fault.member] ?? '';
      world.silence(endpoint);
      return later(fault.forMs, () => world.wake(endpoint));
    }
    case 'lagMember': {
      const endpoint = world.endpoints[fault.member] ?? '';
      world.lagMember(endpoint, fault.ms, { readsStale: fault.readsStale });
      return later(fault.forMs, () => world.lagMember(endpoint, 0));
    }
    case 'noSpace':
      world.engine.noSpace = true;
      return later(fault.forMs, () => void (world.engine.noSpace = false));
    case 'compact':
      return compact(world);
    case 'leaderChange':
      return world.leaderChange();
  }
}

/** The store refuses to compact the same revision twice: something is written first. */
function compact(world: World): void {
  const { noSpace } = world.engine;
  world.engine.noSpace = false;
  world.engine.execute('put', put('\0here', ''));
  world.engine.noSpace = noSpace;
  world.compact();
}

function stop(how: 'pause' | 'suspend', peer: Peer, forMs: number, scene: Scene): void {
  const { world, later } = scene;
  if (peer.activity !== 'running') return;
  const since = world.now() - longestTtlMs;
  world[how](peer);
  later(forMs, () => {
    world.resume(peer);
    if ((backAt.get(peer) ?? -Infinity) >= since) scene.robbed(peer);
  });
}

const longestTtlMs = 3_000;
/** When its wall clock was last set back. */
const backAt = new WeakMap<Peer, number>();

/** A machine that sleeps while its wall clock is set back cannot know that it has slept. */
function jumpedBack(peer: Peer, { world, robbed }: Scene): void {
  backAt.set(peer, world.now());
  robbed(peer);
}

/** However recently they were renewed. */
function endLeases(peer: Peer, isStalledLeader: boolean, { world, robbed }: Scene): void {
  const { leases } = world.engine.execute('leaseList', {});
  const its = leases.filter((lease) => peer.transport.leases.has(lease));
  if (its.length === 0) return;
  robbed(peer);
  if (isStalledLeader) return world.stalledLeaderRevokes(peer);
  for (const lease of its) world.engine.expireLease(lease);
}

type Mishap = Extract<Fault, { readonly nth: number }>;

function befall({ method, nth, isSilent, lateMs, ...fault }: Mishap, peer: Peer, world: World): void {
  const aim = { method, nth, isSilent };
  if (fault.do === 'loseRequest') world.dropRequest(peer, aim);
  else if (fault.do === 'delayReply') world.delayReply(peer, { ...aim, ms: lateMs });
  // A renewal is no request of its own: it cannot be repeated, nor overtaken.
  else if (fault.do === 'loseReply' || method === 'keepAlive') world.dropReply(peer, aim);
  else {
    const late = { ...aim, method: method satisfies Method, ms: lateMs };
    if (fault.do === 'repeat') world.repeatRequest(peer, late);
    else world.delayRequest(peer, late);
  }
}

/** Once, the next time that whoever sits there comes by: if one has crashed, his successor. */
function ambush(fault: Extract<Fault, { readonly do: 'ambush' }>, scene: Scene): void {
  const { by, probe, sudden } = fault;
  const trap = scene.world.onProbe(probe, (peer) => {
    if (peer !== scene.peerAt(by) || peer.activity !== 'running') return;
    trap.cancel();
    scene.tell(`sudden ${sudden}`, { by, probe });
    surprise(sudden, fault, peer, scene);
  });
  scene.later(Infinity, () => trap.cancel());
}

function surprise(
  sudden: Sudden,
  { by, forMs }: { readonly by: number; readonly forMs: number },
  peer: Peer,
  scene: Scene,
): void {
  const { world, later } = scene;
  switch (sudden) {
    case 'crash':
      world.crash(peer);
      return scene.replace(by, forMs);
    case 'pause':
      return stop('pause', peer, forMs, scene);
    case 'partition':
      world.partition(peer);
      return later(forMs, () => world.heal(peer));
    case 'expire':
      return endLeases(peer, false, scene);
    case 'breakWatch':
      return world.breakStreams(peer, 'watch');
    case 'loseReply':
      return void world.dropReply(peer, { method: 'txn' });
    case 'delayRequest':
      return void world.delayRequest(peer, { method: 'txn', ms: forMs });
    case 'repeat':
      return void world.repeatRequest(peer, { method: 'txn', ms: forMs });
  }
}
