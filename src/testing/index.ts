/** Tools for deterministic tests of code that uses Conclave: a cluster on virtual time, whose faults are on demand. */
export { World } from './world.js';
export type { ClientOptions, PeerSettings, WorldOptions } from './world-options.js';
export type { Delay } from './delay.js';
export type { Faults, LossOptions, PartitionOptions } from './faults.js';
export type { Party, StoreFaults } from './store-faults.js';
export type { CallFilter, Fault, RequestTo, Target } from './call-faults.js';
export type { StreamKind } from './faulty-stream.js';
export type { WatchRequest } from './faulty-transport.js';
export { DeadlockError } from './deadlock.js';
export { LeakError } from './leaks.js';
export { Peer } from './peer.js';
export type { FaultyTransport } from './faulty-transport.js';
export type { PeerRuntime } from './peer-runtime.js';
export type { Activity } from './peer-runtime.js';
export { Random } from './random.js';
export type { Direction } from './route.js';
export type { Sent } from './sent.js';
export { VirtualClock, type Drain } from './virtual-clock.js';
