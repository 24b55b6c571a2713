import { type Method, TransportError } from '../store/transport.js';
import type { CallFilter, Fate, Fault, Target } from './call-faults.js';
import { checkDelay, checkMs, type Delay } from './delay.js';
import type { StreamKind } from './faulty-stream.js';
import type { Random } from './random.js';
import type { Direction } from './route.js';
import { type Party, routes, StoreFaults, type StoreFaultsParts } from './store-faults.js';

/** How a request is lost. */
export interface LossOptions {
  /**
   * The client hears nothing, as when a packet is lost; by default it is told that its connection broke.
   * @default false
   */
  readonly isSilent?: boolean;
}

export interface PartitionOptions {
  /** Only the way to this member. @default all */
  readonly endpoint?: string;
  /** `replies`: requests are executed, and their answers do not come back. @default 'both' */
  readonly blocks?: Direction;
  /** Connections break and new ones are refused at once; by default the network is silent, and calls hang. @default false */
  readonly refuses?: boolean;
}

/** What can go wrong in a world. Everything takes effect at once, and lasts until it is undone. */
export abstract class Faults extends StoreFaults {
  readonly #random: Random;

  constructor(parts: StoreFaultsParts & { readonly random: Random }) {
    super(parts);
    this.#random = parts.random;
  }

  // The process

  /**
   * It stands still while time goes on, as after SIGSTOP or in a long garbage collection: no timer fires, nothing arrives,
   * and what its code still sends leaves only when it resumes.
   */
  pause(client: Party): void {
    this.disturb('pause', client).stop('paused');
  }

  /** The machine sleeps: as `pause`, but its monotonic clock stands still too. The wall clock goes on. */
  suspend(client: Party): void {
    this.disturb('suspend', client).stop('suspended');
  }

  /** Timers that are overdue fire, late; then what has come in the meantime is read. */
  resume(client: Party): void {
    this.disturb('resume', client).resume();
  }

  /**
   * It dies, as by SIGKILL: no last words, its leases run out by time. What is left of it when the world ends is no leak.
   */
  crash(client: Party): void {
    this.disturb('crash', client).crash();
  }

  /** Sets its wall clock forward, or back. It stays so: nothing undoes it. @throws RangeError unless `ms` is finite */
  jumpWall(client: Party, ms: number): void {
    if (!Number.isFinite(ms)) throw new RangeError(`a clock cannot jump by ${ms} ms`);
    this.disturb('jump', client).runtime.jumpWall(ms);
  }

  // The network

  /** Cuts it off. What it sends, and what is sent to it, arrives when it is healed. */
  partition(client: Party, { endpoint, blocks = 'both', refuses = false }: PartitionOptions = {}): void {
    if (!['requests', 'replies', 'both'].includes(blocks))
      throw new TypeError(`blocks is "requests", "replies" or "both", got ${blocks}`);
    for (const route of routes(this.disturb('partition', client), endpoint)) {
      if (!refuses) {
        route.block('partition', blocks);
        continue;
      }
      route.isRefusing = true;
      const broken = new TransportError('unavailable', 'the connection broke');
      route.toClient.send(() => route.interruptAll(broken)); // a process that stands still reads no reset
    }
  }

  /** Undoes every `partition` and `staleTerms`, of the way to one member or to all. */
  heal(client: Party, { endpoint }: Pick<PartitionOptions, 'endpoint'> = {}): void {
    for (const route of routes(this.disturb('heal', client), endpoint)) {
      route.isRefusing = false;
      route.staleTerm = undefined;
      route.unblock('partition');
    }
  }

  /** How long requests and answers travel from now on. @default 0 each @throws RangeError unless finite and 0 or more */
  latency(client: Party, { requestMs = 0, replyMs = 0 }: { requestMs?: Delay; replyMs?: Delay }): void {
    checkDelay('requestMs', requestMs);
    checkDelay('replyMs', replyMs);
    for (const route of routes(this.disturb('latency', client))) {
      route.toMember.setDelay(() => this.#draw(requestMs));
      route.toClient.setDelay(() => this.#draw(replyMs));
    }
  }

  /** What its watches deliver comes so much later from now on. @throws RangeError unless finite and 0 or more */
  lagWatches(client: Party, ms: Delay): void {
    checkDelay('a lag', ms);
    for (const route of routes(this.disturb('lag', client))) route.watchLag.setDelay(() => this.#draw(ms));
  }

  /** Its watch or keep-alive streams break; what they had not delivered is gone. */
  breakStreams(client: Party, kind: StreamKind, { endpoint }: Pick<PartitionOptions, 'endpoint'> = {}): void {
    if (!['watch', 'keepAlive'].includes(kind))
      throw new TypeError(`a stream is "watch" or "keepAlive", got ${kind}`);
    routes(this.peerOf(client), endpoint);
    this.disturb('break', client).transport.breakStreams(kind, endpoint);
  }

  /**
   * The client's renewals reach a member that led before and does not know that it leads no more: it answers from its own
   * books, in the raft term before this one, with the full TTL and without effect on the lease. Undone by `heal`.
   */
  staleTerms(client: Party, { endpoint }: Pick<PartitionOptions, 'endpoint'> = {}): void {
    const { raftTerm } = this.engine.execute('status', {}).header;
    for (const route of routes(this.disturb('stale terms', client), endpoint))
      route.staleTerm = raftTerm - 1n;
  }

  // Single requests

  /** A request is lost before it is executed. */
  dropRequest<T extends Target>(client: Party, options: CallFilter<T> & LossOptions = {}): Fault {
    return this.#aim(client, options, { kind: 'lose-request' });
  }

  /** A request is executed, and its answer lost. */
  dropReply<T extends Target>(client: Party, options: CallFilter<T> & LossOptions = {}): Fault {
    return this.#aim(client, options, { kind: 'lose-reply' });
  }

  /**
   * A request is executed only after `ms`, even if the client has crashed by then. The client is told at once that its
   * connection broke; with `isSilent` it waits, and gets the answer if it still does when it comes.
   */
  delayRequest<M extends Method>(
    client: Party,
    options: CallFilter<M> & LossOptions & { ms: number },
  ): Fault {
    return this.#aim(client, options, { kind: 'delay-request', ms: options.ms });
  }

  /** A request is executed at once, and answered after `ms`. */
  delayReply<T extends Target>(client: Party, options: CallFilter<T> & { ms: number }): Fault {
    return this.#aim(client, options, { kind: 'delay-reply', ms: options.ms });
  }

  /** A request is executed at once, its answer is lost, and after `ms` it is executed once more. */
  repeatRequest<M extends Method>(
    client: Party,
    options: CallFilter<M> & LossOptions & { ms: number },
  ): Fault {
    return this.#aim(client, options, { kind: 'repeat-request', ms: options.ms });
  }

  // The end

  /**
   * Undoes every fault that lasts, and disarms those that wait for their request. What has happened has happened: who has
   * crashed stays so, clocks that have jumped stay where they are, leases and history that are gone do not come back.
   */
  mend(): void {
    this.mendMembers();
    for (const peer of this.peers.filter(({ isDisturbed }) => isDisturbed)) {
      peer.transport.faults.clear();
      this.heal(peer);
      this.latency(peer, {});
      this.lagWatches(peer, 0);
      if (peer.activity !== 'running') this.resume(peer);
    }
  }

  #aim<T extends Target>(client: Party, options: CallFilter<T> & LossOptions, fate: Fate): Fault {
    if ('ms' in fate) checkMs('ms', fate.ms);
    routes(this.peerOf(client), options.endpoint); // one that does not exist would never be hit
    const { faults } = this.peerOf(client).transport;
    const fault = faults.add(options, { fate, isSilent: options.isSilent ?? false });
    this.disturb(fate.kind, client);
    return fault;
  }

  #draw(delay: Delay): number {
    return typeof delay === 'number' ? delay : this.#random.between(...delay);
  }
}
