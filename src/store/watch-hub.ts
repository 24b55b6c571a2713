import { toText } from '../base/bytes.js';
import { report } from '../base/diagnostics.js';
import { AuthError, ClosedError, CompactedError, type ConclaveError } from '../base/errors.js';
import type { Runtime, Timer } from '../base/runtime.js';
import type { Endpoints } from './endpoints.js';
import { outcomeOf, toConclaveError } from './outcome.js';
import { Watch, type WatchListener, type WatchRequest } from './watch.js';
import {
  type Stream,
  type Transport,
  TransportError,
  type WatchCommand,
  type WatchMessage,
} from './transport.js';

/** Of a message that is about no watch, or about one that was never created. */
const noWatchId = -1n;
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
  readonly #heartbeatMs: number;
  #link: Link | undefined;
  #reconnect: Timer | undefined;
  #failures = 0;
  #lastId = 0n;
  #closed = false;

  /** @param heartbeatMs a stream that is quiet for so long is asked for a sign of life; it has twice as long to give one */
  constructor(transport: Transport, runtime: Runtime, endpoints: Endpoints, heartbeatMs: number) {
    this.#heartbeatMs = heartbeatMs;
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
    this.#endAll(new ClosedError('watch: the connection was closed'));
  }

  #attach(watch: Watch): void {
    // A fresh id for every creation: late events of an earlier life of this watch find nobody.
    watch.id = ++this.#lastId;
    this.#watches.set(watch.id, watch);
    if (this.#link) this.#link.create(watch);
    else if (!this.#reconnect) this.#connect();
  }

  #drop(watch: Watch): void {
    if (!this.#watches.delete(watch.id)) return;
    this.#link?.stream.send({ kind: 'cancel', watchId: watch.id });
    if (this.#watches.size === 0) this.#rest();
  }

  /** Nothing is watched: no stream, no timer. */
  #rest(): void {
    this.#reconnect?.cancel();
    this.#reconnect = undefined;
    this.#unlink();
  }

  /** First forgets them all, since a listener may open new watches, which are not meant. */
  #endAll(error: ConclaveError): void {
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    this.#rest();
    for (const watch of watches) watch.end(error);
  }

  #connect(): void {
    this.#reconnect = undefined;
    this.#unlink();
    const endpoint = this.#endpoints.pick();
    const link = new Link(endpoint, this.#runtime, this.#heartbeatMs, () => this.#silent(link));
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
    const error = new TransportError('unavailable', `watch stream silent for ${2 * this.#heartbeatMs} ms`);
    // In this order: the reset ends the stream too. And it ends the calls that wait on the same dead connection.
    this.#broken(link, error);
    this.#transport.reset(link.endpoint);
  }

  #broken(link: Link, error: TransportError): void {
    this.#unlink();
    this.#endpoints.failed(link.endpoint);
    this.#failures++;
    report('conclave:retry', () => ({
      what: `watch stream to ${link.endpoint}`,
      attempt: this.#failures,
      error,
    }));
    const ours = toConclaveError(error, 'watch', false);
    if (ours instanceof AuthError) this.#endAll(ours);
    else this.#connectLater(this.#failures);
  }

  #connectLater(failures: number): void {
    if (this.#reconnect) return;
    const ceilingMs = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** failures);
    this.#reconnect = this.#runtime.setTimer(this.#runtime.random() * ceilingMs, () => this.#connect(), {
      background: true,
    });
  }

  #message(link: Link, message: WatchMessage): void {
    link.heard();
    this.#endpoints.sawTerm(message.header.raftTerm);
    if (message.watchId === noWatchId && !message.created) {
      for (const watch of this.#watches.values()) watch.progress(message.header.revision);
      return;
    }
    const watch = this.#watches.get(message.created ? link.answered(message.watchId) : message.watchId);
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
    const what = `watch ${JSON.stringify(toText(watch.request.range.key))}`;
    if (compactRevision !== 0n) {
      const text = `${what}: events before revision ${compactRevision} have been compacted away`;
      return this.#finish(watch, new CompactedError(text, compactRevision));
    }
    const status = cancelReason.includes('permission denied') ? 'permission-denied' : 'failed-precondition';
    const error = new TransportError(status, cancelReason || `canceled by ${link.endpoint}`);
    // If the stream's token is what was refused, the creation is tried again on a new stream, however often: each change of
    // a user or role makes signed tokens old. Some versions call that a lack of permission, so any refusal is tried once more.
    // Until then the other watches go on here, and others that are refused too need no further stream.
    if (outcomeOf(error) === 'not-done' || watch.refusals === 0) {
      const attempt = ++watch.refusals;
      report('conclave:retry', () => ({ what, attempt, error }));
      return this.#connectLater(attempt - 1);
    }
    this.#finish(watch, toConclaveError(error, what, false));
  }

  #finish(watch: Watch, error: ConclaveError): void {
    this.#watches.delete(watch.id);
    watch.end(error);
    if (this.#watches.size === 0) this.#rest();
  }
}

/** One stream to one endpoint, with its heartbeat. */
class Link {
  readonly endpoint: string;
  stream: Stream<WatchCommand> = { send: () => {}, close: () => {} };
  readonly #runtime: Runtime;
  readonly #heartbeatMs: number;
  readonly #onSilent: () => void;
  /** Creations without an answer, in their order. */
  readonly #unanswered = new Set<bigint>();
  #timer: Timer | undefined;
  #heardAt: number;
  #askedAt: number | undefined;

  constructor(endpoint: string, runtime: Runtime, heartbeatMs: number, onSilent: () => void) {
    this.endpoint = endpoint;
    this.#runtime = runtime;
    this.#heartbeatMs = heartbeatMs;
    this.#onSilent = onSilent;
    this.#heardAt = runtime.now();
  }

  create(watch: Watch): void {
    this.#unanswered.add(watch.id);
    this.stream.send(watch.createCommand());
  }

  /** Which creation this is the answer to. etcd names no id when it refuses one, but it answers in order. */
  answered(watchId: bigint): bigint {
    const [oldest = watchId] = this.#unanswered;
    const id = watchId === noWatchId ? oldest : watchId;
    this.#unanswered.delete(id);
    return id;
  }

  heard(): void {
    this.#heardAt = this.#runtime.now();
    this.#askedAt = undefined;
  }

  startHeartbeat(): void {
    const heartbeatMs = this.#heartbeatMs;
    const dueAt = this.#runtime.now() + heartbeatMs;
    this.#timer = this.#runtime.setTimer(
      heartbeatMs,
      () => {
        // If this process stood still, the answer may lie unread in the socket: ask again before judging.
        const stoodStill = this.#runtime.now() - dueAt > heartbeatMs / 2;
        if (
          !stoodStill &&
          this.#askedAt !== undefined &&
          this.#runtime.now() - this.#askedAt >= 2 * heartbeatMs
        ) {
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
    if (now - this.#heardAt < this.#heartbeatMs) return;
    this.#askedAt = now;
    this.stream.send({ kind: 'progress' });
  }
}
