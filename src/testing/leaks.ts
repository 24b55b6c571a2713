import { isSetting } from '../base/keys.js';
import type { Engine } from '../memory/engine.js';
import { get, prefix } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import type { Peer } from './peer.js';

/** Something that should be gone and is not. */
export interface Leak {
  readonly what: string;
  /** A fault may have left it; it has to go away by itself in the time of a lease. */
  readonly mayPass: boolean;
}

/** Something was still there after a world had closed all its clients. */
export class LeakError extends Error {
  override readonly name = 'LeakError';
  readonly leaks: readonly string[];

  constructor(leaks: readonly string[]) {
    super(`left behind after all clients were closed:\n${leaks.map((leak) => `  ${leak}`).join('\n')}`);
    this.leaks = leaks;
  }
}

export interface LeakScope {
  readonly engine: Engine;
  readonly peers: readonly Peer[];
  /** Tells whether a key is meant to outlive its clients. */
  readonly mayRemain: (key: string) => boolean;
}

/** What crashed peers own is no leak: their leases run out. */
export function findLeaks({ engine, peers, mayRemain }: LeakScope): Leak[] {
  const ownerOf = (lease: bigint): Peer | undefined =>
    peers.find(({ transport }) => transport.leases.has(lease));
  const isCrashed = (lease: bigint): boolean => ownerOf(lease)?.activity === 'crashed';
  const leak = (what: string, lease: bigint): Leak => ({
    what,
    mayPass: ownerOf(lease)?.isDisturbed ?? false,
  });

  const isMeantToStay = (key: string): boolean => isSetting(key) || mayRemain(key);
  /** Keeps something for a while, by design longer than whoever put it there. */
  const isKeeping = (id: bigint): boolean => {
    const { keys: attached } = engine.execute('leaseTimeToLive', { id, keys: true });
    return attached.length > 0 && attached.every((key) => isMeantToStay(Buffer.from(key).toString()));
  };

  const { leases } = engine.execute('leaseList', {});
  const namespaces = new Set(peers.map(({ namespace }) => namespace));
  const keys = [...namespaces]
    .flatMap((namespace) => engine.execute('get', get(prefix(`${namespace}/`))).kvs)
    .filter((kv) => !isCrashed(kv.lease) && !isMeantToStay(textOf(kv)));
  return [
    ...keys.map((kv) => leak(`key ${textOf(kv)}`, kv.lease)),
    ...leases
      .filter((id) => !isCrashed(id) && !isKeeping(id))
      .map((id) => leak(`lease ${id.toString(16)}${by(ownerOf(id))}`, id)),
    ...peers.filter(({ activity }) => activity !== 'crashed').flatMap(leaksOf),
  ];
}

/** The full time of the longest lease there is. */
export function longestLeaseMs(engine: Engine): number {
  const { leases } = engine.execute('leaseList', {});
  const seconds = leases.map(
    (id) => engine.execute('leaseTimeToLive', { id, keys: false }).grantedTtlSeconds,
  );
  return Math.max(0, ...seconds) * 1_000;
}

function leaksOf({ name, runtime, transport, isDisturbed }: Peer): Leak[] {
  const timers = runtime.pendingTimers.map(({ dueAt, origin }) => {
    const inMs = Math.round(dueAt - runtime.now());
    return {
      what: `timer of ${name}, due in ${inMs} ms${origin ? `, ${callerIn(origin)}` : ''}`,
      mayPass: isDisturbed,
    };
  });
  const leftOpen = transport.leftOpen.map((what) => ({ what: `${what} of ${name}`, mayPass: false }));
  const served = transport.routes
    .filter(({ streamsServed }) => streamsServed > 0)
    .map(({ endpoint, streamsServed }) => ({
      what: `${streamsServed} streams of ${name} at ${endpoint}`,
      mayPass: isDisturbed,
    }));
  return [...timers, ...leftOpen, ...served];
}

function by(owner: Peer | undefined): string {
  return owner === undefined ? '' : ` of ${owner.name}`;
}

function textOf({ key }: KeyValue): string {
  return Buffer.from(key).toString();
}

/** The first frames outside this folder. */
function callerIn({ stack = '' }: Error): string {
  const frames = stack.split('\n').slice(1);
  const outside = frames.filter((frame) => !/[\\/]testing[\\/]/.test(frame));
  return (outside.length > 0 ? outside : frames)
    .slice(0, 3)
    .map((frame) => frame.trim())
    .join(' ');
}
