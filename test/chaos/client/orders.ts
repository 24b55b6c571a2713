/** What a client process is started with: JSON, its only argument. */
export interface ClientOptions {
  /** Of the process; that of its desks begins with it. */
  readonly name: string;
  readonly workload: string;
  /** How many clients it is, each with a connection of its own. */
  readonly desks: number;
  readonly endpoints: readonly string[];
  readonly namespace: string;
  readonly ttlMs: number;
  readonly dialTimeoutMs: number;
  readonly seed: number;
  /** The file to which it writes what it knows. */
  readonly history: string;
  readonly aims: readonly Aim[];
  /** How fast its clock goes. */
  readonly clockRate: number;
}

/** A fault where it hurts: when the library passes a point of a protocol. */
export interface Aim {
  /** The name of the point: see `Runtime.probe`, and `use.*` of workloads. */
  readonly probe: string;
  /** Which passing from now on: 1 is the next. */
  readonly nth: number;
  /** `stop` and `kill` are what a process does to itself, at once; `tell` lets the run know. */
  readonly act: 'stop' | 'kill' | 'tell';
}

/** What the run says to a client process. */
export type Order =
  | { readonly order: 'aim'; readonly aim: Aim }
  /** Forget where to stop or to die. */
  | { readonly order: 'disarm' }
  /** The wall clock is so much ahead from now on. */
  | { readonly order: 'jump'; readonly aheadMs: number }
  /** Give back all memory that is not needed. */
  | { readonly order: 'collect' }
  /** Begin no further round; all that is held is given back. */
  | { readonly order: 'rest' }
  /** Do what remains to be done by one of all when all rest. */
  | { readonly order: 'finish' }
  /** Close, and end. */
  | { readonly order: 'end' };

/** What a client process says to the run. */
export type Report =
  | { readonly report: 'ready' | 'disarmed' | 'rested' | 'finished' | 'collected' }
  /** All is closed; so many timers still run. */
  | { readonly report: 'closed'; readonly timers: number }
  /** A desk has come to the good end of a round. */
  | { readonly report: 'round'; readonly desk: number }
  | { readonly report: 'passed'; readonly probe: string };
