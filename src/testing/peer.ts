import type { Probe } from '../base/probes.js';
import type { Transport } from '../store/transport.js';
import { FaultyTransport } from './faulty-transport.js';
import type { Past } from './past.js';
import { type Activity, PeerRuntime, type PeerRuntimeOptions } from './peer-runtime.js';

export interface PeerOptions extends Omit<PeerRuntimeOptions, 'onProbe'> {
  readonly name: string;
  /** Where its keys are. */
  readonly namespace: string;
  readonly past: Past;
  readonly onProbe: (peer: Peer, name: Probe) => void;
  readonly onTraffic: (...words: readonly unknown[]) => void;
}

/**
 * One simulated process: its clocks, its chance and its network. `world.client()` puts a Conclave on one; a test of
 * anything lower (a `Store`, a `Session`) uses its `runtime` and `transport` itself.
 */
export class Peer {
  readonly name: string;
  readonly namespace: string;
  readonly runtime: PeerRuntime;
  readonly transport: FaultyTransport;
  /** Faults can cost a lease its full time: what this peer leaves behind is then given that time to go away. */
  isDisturbed = false;

  constructor(inner: Transport, { name, namespace, past, onProbe, onTraffic, ...options }: PeerOptions) {
    this.name = name;
    this.namespace = namespace;
    this.runtime = new PeerRuntime({ ...options, onProbe: (probe) => onProbe(this, probe) });
    this.transport = new FaultyTransport(inner, {
      clock: options.clock,
      past,
      onTraffic: (...words) => onTraffic(name, ...words),
    });
  }

  get activity(): Activity {
    return this.runtime.activity;
  }

  /** For people. */
  describe(): string {
    const ways = this.transport.routes
      .filter(({ isOpen }) => !isOpen)
      .map(({ endpoint }) => `no way to ${endpoint}`);
    return [`${this.name} is ${this.activity}`, ...ways].join(', ');
  }

  /** Nothing it runs goes on, and nothing reaches it or leaves it. */
  stop(activity: 'paused' | 'suspended'): void {
    if (this.activity === 'crashed') return;
    this.runtime.stop(activity);
    for (const route of this.transport.routes) route.block('paused');
  }

  /** Timers whose time has passed fire first, as in Node after SIGCONT; then it reads what has come. */
  resume(): void {
    this.runtime.resume();
    for (const route of this.transport.routes) route.unblock('paused');
  }

  crash(): void {
    this.runtime.stop('crashed');
    for (const route of this.transport.routes) route.crash();
  }
}
