import { AlreadyExistsError, ClosedError } from '../base/errors.js';
import { report } from '../base/diagnostics.js';
import type { Runtime, Timer } from '../base/runtime.js';
import type { Endpoints } from './endpoints.js';
import {
  type KeepAliveCommand,
  type KeepAliveMessage,
  type Stream,
  type Transport,
  TransportError,
} from './transport.js';

/** An answered renewal. What it proves counts from when it was SENT: the store's clock for the lease started no earlier. */
export interface Renewal {
  /** `Runtime.now()` when the request was written. */
  readonly sentAt: number;
  /** `Runtime.wallNow()` at the same moment. */
  readonly sentAtWall: number;
  readonly ttlSeconds: number;
}

/** A lease as granted. */
export interface Granted {
  readonly ttlMs: number;
  /** `Runtime.now()` when the grant was first sent. */
  readonly sentAt: number;
}

export interface KeepAliveListener {
  renewed(renewal: Renewal): void;
  /**
   * There is a new leader: earlier renewals may have been answered by one that led no more, from old books. Until one is
   * answered again nothing is certain; one is sent at once.
   */
  doubted?(): void;
  /** The store says the lease does not exist. The last call. */
  gone(): void;
  /** Asked before each renewal; a lease past its deadline must not be renewed: it would block the stream until revoked. */
  mayRenew(): boolean;
}

/** A stream that leaves a renewal unanswered this long (or a sixth of the TTL, if that is longer) is replaced. */
const silenceMinMs = 500;
const reconnectMinMs = 20;
const reconnectMaxMs = 500;

interface Sent {
  readonly at: number;
  readonly atWall: number;
}

/** One lease on the stream. */
export class KeptLease {
  readonly id: bigint;
  readonly listener: KeepAliveListener;
  ttlMs: number;
  dueAt: number;
  /** Sends on the current stream without an answer yet; answers come in their order. */
  pending: Sent[] = [];
  readonly #keeper: KeepAlive;

  constructor(keeper: KeepAlive, id: bigint, ttlMs: number, dueAt: number, listener: KeepAliveListener) {
    this.#keeper = keeper;
    this.id = id;
    this.ttlMs = ttlMs;
    this.dueAt = dueAt;
    this.listener = listener;
  }

  /** Sends a renewal now instead of at the next third of the TTL. */
  renewNow(): void {
    this.#keeper.renewNow(this);
  }

  /** No listener call after this returns. Idempotent. */
  stop(): void {
    this.#keeper.remove(this);
  }
}

/**
 * Keeps leases alive: one stream for all of them, each renewed every third of its TTL.
 *
 * An answer counts only on the current stream, matched first-in-first-out per lease to its own send, and only if the
 * member that answered is not behind the highest raft term seen.
 */
export class KeepAlive {
  readonly #transport: Transport;
  readonly #runtime: Runtime;
  readonly #endpoints: Endpoints;
  readonly #leases = new Map<bigint, KeptLease>();
  #stream: { endpoint: string; stream: Stream<KeepAliveCommand> } | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #connectAt = 0;
  #closed = false;

  constructor(transport: Transport, runtime: Runtime, endpoints: Endpoints) {
    this.#transport = transport;
    this.#runtime = runtime;
    this.#endpoints = endpoints;
    endpoints.onNewTerm = () => this.#doubt();
  }

  /**
   * The first renewal is due a third of the TTL after the grant was sent: at once, if its answer was slow.
   *
   * @throws RangeError for a TTL that is none; AlreadyExistsError; ClosedError
   */
  add(id: bigint, { ttlMs, sentAt }: Granted, listener: KeepAliveListener): KeptLease {
    if (!(ttlMs > 0 && ttlMs < Infinity)) throw new RangeError(`a lease cannot be kept for ${ttlMs} ms`);
    if (this.#closed) throw new ClosedError(`lease ${id.toString(16)}: the connection is closed`);
    if (this.#leases.has(id)) {
      throw new AlreadyExistsError(`lease ${id.toString(16)} is kept alive already on this connection`);
    }
    const lease = new KeptLease(this, id, ttlMs, sentAt + ttlMs / 3, listener);
    this.#leases.set(id, lease);
    this.#schedule();
    return lease;
  }

  renewNow(lease: KeptLease): void {
    if (this.#leases.get(lease.id) !== lease) return;
    lease.dueAt = this.#runtime.now();
    this.#sendDue();
  }

  remove(lease: KeptLease): void {
    if (this.#leases.get(lease.id) !== lease) return;
    this.#leases.delete(lease.id);
    if (this.#leases.size === 0) this.#rest();
  }

  /** Stops renewing everything, for good. */
  close(): void {
    this.#closed = true;
    this.#leases.clear();
    this.#rest();
  }

  /** Renewals are sent in a later step: what tells of the new leader may be an answer to one. */
  #doubt(): void {
    for (const lease of this.#leases.values()) {
      lease.listener.doubted?.();
      lease.dueAt = this.#runtime.now();
    }
    if (this.#leases.size > 0) this.#schedule();
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stream?.stream.close();
    this.#stream = undefined;
  }

  /** One timer for all: the next renewal due, or the next moment at which silence has lasted too long. */
  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    let at = Infinity;
    for (const lease of this.#leases.values()) at = Math.min(at, lease.dueAt, silentAt(lease));
    if (at === Infinity) return;
    if (!this.#stream) at = Math.max(at, this.#connectAt);
    const now = this.#runtime.now();
    const dueAt = Math.max(at, now);
    this.#timer = this.#runtime.setTimer(dueAt - now, () => this.#wake(dueAt), { background: true });
  }

  #wake(dueAt: number): void {
    const lagMs = this.#runtime.now() - dueAt;
    if (lagMs > 100) report('conclave:event-loop-lag', () => ({ lagMs }));
    if (lagMs < silenceMinMs / 2) return this.#tick();
    // This process stood still, and answers may lie unread in the socket: read them before judging the stream.
    this.#timer = this.#runtime.setTimer(10, () => this.#tick(), { background: true });
  }

  #tick(): void {
    const now = this.#runtime.now();
    if (this.#stream && this.#isSilent(now)) {
      const { endpoint } = this.#stream;
      // In this order: the reset ends the stream too, and one failure must not count twice.
      this.#broken(new TransportError('unavailable', 'keep-alive stream silent'));
      this.#transport.reset(endpoint);
      return;
    }
    this.#sendDue();
  }

  #isSilent(now: number): boolean {
    for (const lease of this.#leases.values()) if (silentAt(lease) <= now) return true;
    return false;
  }

  /** Judges nothing: after a stand-still of this process the answers may not have been read yet. */
  #sendDue(): void {
    const now = this.#runtime.now();
    // No copy: a lease that a listener stops meanwhile is not visited.
    for (const lease of this.#leases.values()) {
      if (lease.dueAt > now) continue;
      if (!this.#stream && now < this.#connectAt) break;
      if (!this.#stream) this.#connect();
      this.#send(lease);
    }
    this.#schedule();
  }

  #send(lease: KeptLease): void {
    if (!lease.listener.mayRenew()) return this.remove(lease);
    if (this.#leases.get(lease.id) !== lease) return; // stopped by its own answer
    const sent = { at: this.#runtime.now(), atWall: this.#runtime.wallNow() };
    lease.pending.push(sent);
    lease.dueAt = sent.at + lease.ttlMs / 3;
    this.#runtime.probe('keep-alive.send');
    this.#stream?.stream.send({ lease: lease.id });
  }

  #connect(): void {
    const endpoint = this.#endpoints.pick();
    const isCurrent = (): boolean => this.#stream?.stream === stream;
    const stream = this.#transport.keepAliveStream(endpoint, {
      message: (message) => {
        if (isCurrent()) this.#message(endpoint, message);
      },
      ended: (error) => {
        if (isCurrent()) this.#broken(error);
      },
    });
    this.#stream = { endpoint, stream };
    // Answers to sends on an earlier stream can no longer be told apart: they do not count.
    for (const lease of this.#leases.values()) lease.pending = [];
  }

  #broken(error: TransportError): void {
    const { endpoint, stream } = this.#stream ?? {};
    stream?.close();
    this.#stream = undefined;
    if (endpoint !== undefined) this.#endpoints.failed(endpoint);
    this.#failures++;
    report('conclave:retry', () => ({
      what: `keep-alive stream to ${endpoint ?? ''}`,
      attempt: this.#failures,
      error,
    }));
    const now = this.#runtime.now();
    // The first time the next endpoint is tried at once: time is what a lease has least of.
    const ceilingMs =
      this.#failures === 1 ? 0 : Math.min(reconnectMaxMs, reconnectMinMs * 2 ** this.#failures);
    this.#connectAt = now + this.#runtime.random() * ceilingMs;
    for (const lease of this.#leases.values()) {
      lease.pending = [];
      lease.dueAt = now;
    }
    this.#schedule();
  }

  #message(endpoint: string, { header, lease: id, ttlSeconds }: KeepAliveMessage): void {
    const lease = this.#leases.get(id);
    const sent = lease?.pending.shift();
    if (!lease || !sent) return;
    if (!this.#endpoints.sawTerm(header.raftTerm)) {
      return this.#broken(
        new TransportError('unavailable', 'keep-alive answered by a member with an old raft term'),
      );
    }
    if (ttlSeconds <= 0) {
      this.remove(lease);
      return lease.listener.gone();
    }
    this.#failures = 0;
    this.#endpoints.succeeded(endpoint);
    lease.ttlMs = ttlSeconds * 1_000;
    report('conclave:keep-alive', () => ({
      leaseId: id,
      endpoint,
      latencyMs: this.#runtime.now() - sent.at,
    }));
    // The timer is left as it is: it may wake for nothing, which costs less than looking at every lease per answer.
    lease.listener.renewed({ sentAt: sent.at, sentAtWall: sent.atWall, ttlSeconds });
  }
}

/** When the oldest unanswered renewal will have waited too long. */
function silentAt(lease: KeptLease): number {
  const oldest = lease.pending[0];
  return oldest ? oldest.at + Math.max(silenceMinMs, lease.ttlMs / 6) : Infinity;
}
