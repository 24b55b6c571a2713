import { toText } from '../base/bytes.js';
import { report } from '../base/diagnostics.js';
import { AuthError, ClosedError, CompactedError, type ConclaveError } from '../base/errors.js';
import type { Runtime, Timer } from '../base/runtime.js';
import type { Endpoints } from './endpoints.js';
import { toConclaveError } from './outcome.js';
import type { KeyRange } from './operations.js';
import type { StoreEvent } from './results.js';
import {
  type Stream,
  type Transport,
  TransportError,
  type WatchCommand,
  type WatchMessage,
} from './transport.js';

export interface WatchRequest {
  readonly range: KeyRange;
  /** First revision to deliver; 0n means from now. */
  readonly startRevision: bigint;
  readonly prevKv: boolean;
  readonly exclude: readonly ('put' | 'delete')[];
}

/** Called in order, never from inside `open`. Must not throw. */
export interface WatchListener {
  /** Once: everything after `revision` (or from `startRevision` on) will be delivered. */
  created(revision: bigint): void;
  /** All matching events of one revision. */
  events(revision: bigint, events: readonly StoreEvent[]): void;
  /** A sign of life. Before etcd 3.4.25 it may overtake events: conclude nothing about what was delivered. */
  progress?(revision: bigint): void;
  /** Once, and the last call: the watch cannot go on (compacted, forbidden, closed). */
  ended(error: ConclaveError): void;
}

/** How often a quiet stream is asked for a sign of life, and how long it may stay silent after that. */
const heartbeatMs = 1_000;
const silenceMs = 2_000;
const reconnectMinMs = 20;
const reconnectMaxMs = 1_000;

/**
 * All watches of a connection, on one stream.
 *
 * Guarantees: each watch sees every matching event after its start exactly once and in order, in whole revisions, over
 * reconnects to any member; or it ends by saying why. It never ends silently, and a silent stream is replaced.
 */
export class WatchHub {
  readonly #transport: Transport;
  readonly #runtime: Runtime;
  readonly #endpoints: Endpoints;
  readonly #watches = new Map<bigint, Watch>();
  #link: Link | undefined;
  #reconnect: Timer | undefined;
  #failures = 0;
  #lastId = 0n;
  #closed = false;

  constructor(transport: Transport, runtime: Runtime, endpoints: Endpoints) {
    this.#transport = transport;
    this.#runtime = runtime;
    this.#endpoints = endpoints;
  }

  open(request: WatchRequest, listener: WatchListener): Watch {
    if (this.#closed) throw new ClosedError('watch: the connection is closed');
    const watch = new Watch(request, listener, () => this.#drop(watch));
    this.#attach(watch);
    return watch;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    this.#reconnect?.cancel();
    this.#unlink();
    for (const watch of watches) watch.end(new ClosedError('watch: the connection was closed'));
  }

  #attach(watch: Watch): void {
    // A fresh id for every creation: late events of an earlier life of this watch find nobody.
    watch.id = ++this.#lastId;
    this.#watches.set(watch.id, watch);
    if (this.#link) this.#link.stream.send(watch.createCommand());
    else if (!this.#reconnect) this.#connect();
  }

  #drop(watch: Watch): void {
    if (!this.#watches.delete(watch.id)) return;
    this.#link?.stream.send({ kind: 'cancel', watchId: watch.id });
    if (this.#watches.size === 0) this.#unlink();
  }

  #connect(): void {
    this.#reconnect = undefined;
    if (this.#closed || this.#watches.size === 0) return;
    const endpoint = this.#endpoints.pick();
    const link = new Link(endpoint, this.#runtime, () => this.#silent(link));
    this.#link = link;
    link.stream = this.#transport.watchStream(endpoint, {
      message: (message) => {
        if (this.#link === link) this.#message(link, message);
      },
      ended: (error) => {
        if (this.#link === link) this.#broken(link, error);
      },
    });
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    for (const watch of watches) this.#attach(watch);
    link.startHeartbeat();
  }

  #unlink(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  #silent(link: Link): void {
    if (this.#link !== link) return;
    const error = new TransportError('unavailable', `watch stream silent for ${silenceMs} ms`);
    // Calls waiting on the same dead connection end now, instead of each finding out by itself.
    this.#transport.reset(link.endpoint);
    this.#broken(link, error);
  }

  #broken(link: Link, error: TransportError): void {
    if (this.#link !== link) return;
    this.#unlink();
    this.#endpoints.failed(link.endpoint);
    this.#failures++;
    report('conclave:retry', () => ({
      what: `watch stream to ${link.endpoint}`,
      attempt: this.#failures,
      error,
    }));
    const ours = toConclaveError(error, 'watch', false);
    if (ours instanceof AuthError) {
      for (const watch of this.#watches.values()) watch.end(ours);
      this.#watches.clear();
      return;
    }
    this.#connectLater();
  }

  #connectLater(): void {
    if (this.#closed || this.#reconnect) return;
    const ceilingMs = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** this.#failures);
    this.#reconnect = this.#runtime.setTimer(this.#runtime.random() * ceilingMs, () => this.#connect(), {
      background: true,
    });
  }

  #message(link: Link, message: WatchMessage): void {
    link.heard();
    this.#endpoints.sawTerm(message.header.raftTerm);
    if (message.watchId === -1n) {
      for (const watch of this.#watches.values()) watch.progress(message.header.revision);
      return;
    }
    const watch = this.#watches.get(message.watchId);
    if (!watch) return;
    if (message.canceled) return this.#canceled(link, watch, message);
    if (message.created) {
      this.#failures = 0;
      this.#endpoints.succeeded(link.endpoint);
      watch.created(message.header.revision);
    }
    watch.receive(message.events, message.fragment);
  }

  #canceled(link: Link, watch: Watch, { compactRevision, cancelReason }: WatchMessage): void {
    this.#watches.delete(watch.id);
    if (compactRevision !== 0n) {
      const what = `watch ${JSON.stringify(toText(watch.request.range.key))}`;
      return watch.end(
        new CompactedError(
          `${what}: events before revision ${compactRevision} have been compacted away`,
          compactRevision,
        ),
      );
    }
    // A refused creation may only mean that the stream's token has expired: once, on a new stream, it is tried again.
    if (watch.refusals++ === 0) {
      this.#watches.set(watch.id, watch);
      this.#unlink();
      report('conclave:retry', () => ({ what: 'watch', attempt: 1, error: new Error(cancelReason) }));
      return this.#connectLater();
    }
    const status = cancelReason.includes('permission denied') ? 'permission-denied' : 'failed-precondition';
    watch.end(
      toConclaveError(
        new TransportError(status, cancelReason || `canceled by ${link.endpoint}`),
        'watch',
        false,
      ),
    );
    if (this.#watches.size === 0) this.#unlink();
  }
}

/** One watch as its owner sees it; survives streams. */
export class Watch {
  id = 0n;
  /** Creations refused in a row. */
  refusals = 0;
  readonly request: WatchRequest;
  readonly #listener: WatchListener;
  readonly #onCancel: () => void;
  /** The first revision not yet delivered; moves only by delivered events, or by "from now" becoming a number. */
  #next: bigint;
  #announced = false;
  #over = false;
  #fragments: StoreEvent[] = [];

  constructor(request: WatchRequest, listener: WatchListener, onCancel: () => void) {
    this.request = request;
    this.#listener = listener;
    this.#onCancel = onCancel;
    this.#next = request.startRevision;
  }

  /** The revision to watch from in order to go on where this watch stopped; 0n before the store has answered. */
  get nextRevision(): bigint {
    return this.#next;
  }

  /** No listener call after this returns. Idempotent. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onCancel();
  }

  /** For the hub. */
  createCommand(): WatchCommand {
    this.#fragments = [];
    return { kind: 'create', watchId: this.id, ...this.request, startRevision: this.#next };
  }

  created(revision: bigint): void {
    this.refusals = 0;
    if (this.#next === 0n) this.#next = revision + 1n;
    if (this.#announced) return;
    this.#announced = true;
    this.#listener.created(revision);
  }

  receive(events: readonly StoreEvent[], moreToCome: boolean): void {
    this.#fragments.push(...events);
    if (moreToCome) return;
    const all = this.#fragments;
    this.#fragments = [];
    let from = 0;
    while (from < all.length) {
      const revision = all[from]?.kv.modRevision ?? 0n;
      let to = from + 1;
      while (all[to]?.kv.modRevision === revision) to++;
      this.#deliver(revision, all.slice(from, to));
      from = to;
    }
  }

  progress(revision: bigint): void {
    if (!this.#over) this.#listener.progress?.(revision);
  }

  end(error: ConclaveError): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.ended(error);
  }

  #deliver(revision: bigint, events: readonly StoreEvent[]): void {
    if (this.#over || revision < this.#next) return;
    this.#next = revision + 1n;
    this.#listener.events(revision, events);
  }
}

/** One stream to one endpoint, with its heartbeat. */
class Link {
  readonly endpoint: string;
  stream: Stream<WatchCommand> = { send: () => {}, close: () => {} };
  readonly #runtime: Runtime;
  readonly #onSilent: () => void;
  #timer: Timer | undefined;
  #heardAt: number;
  #askedAt: number | undefined;

  constructor(endpoint: string, runtime: Runtime, onSilent: () => void) {
    this.endpoint = endpoint;
    this.#runtime = runtime;
    this.#onSilent = onSilent;
    this.#heardAt = runtime.now();
  }

  heard(): void {
    this.#heardAt = this.#runtime.now();
    this.#askedAt = undefined;
  }

  startHeartbeat(): void {
    const dueAt = this.#runtime.now() + heartbeatMs;
    this.#timer = this.#runtime.setTimer(
      heartbeatMs,
      () => {
        // If this process stood still, the answer may lie unread in the socket: ask again before judging.
        const stoodStill = this.#runtime.now() - dueAt > heartbeatMs / 2;
        if (!stoodStill && this.#askedAt !== undefined && this.#runtime.now() - this.#askedAt >= silenceMs) {
          return this.#onSilent();
        }
        this.#ask(stoodStill);
        this.startHeartbeat();
      },
      { background: true },
    );
  }

  close(): void {
    this.#timer?.cancel();
    this.stream.close();
  }

  #ask(again: boolean): void {
    const now = this.#runtime.now();
    if (this.#askedAt !== undefined && !again) return;
    if (now - this.#heardAt < heartbeatMs) return;
    this.#askedAt = now;
    this.stream.send({ kind: 'progress' });
  }
}
