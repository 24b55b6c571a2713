import {
  type Calls,
  type KeepAliveCommand,
  type KeepAliveMessage,
  type Method,
  type Stream,
  type StreamListener,
  type Transport,
  TransportError,
  type UnaryOptions,
  type WatchCommand,
  type WatchMessage,
} from '../store/transport.js';
import type { GetOp } from '../store/operations.js';
import { CallFaults } from './call-faults.js';
import { FaultyCall } from './faulty-call.js';
import { deadStream, FaultyStream, type StreamKind } from './faulty-stream.js';
import { type FatedRenewal, KeepAliveService } from './keep-alive-service.js';
import type { Past } from './past.js';
import { type Lag, Route } from './route.js';
import type { Sent } from './sent.js';
import type { VirtualClock } from './virtual-clock.js';

export interface FaultyTransportOptions {
  readonly clock: VirtualClock;
  readonly past: Past;
  /** Told everything that is sent, executed and delivered. */
  readonly onTraffic: (...words: readonly unknown[]) => void;
}

export type WatchRequest = Extract<WatchCommand, { kind: 'create' }>;

/** Of either kind, as far as faults go. */
type OpenStream = Pick<FaultyStream<never, never>, 'kind' | 'endpoint' | 'break'>;

/** The member, not the client, decides when to stop working on a request. */
const never = new AbortController().signal;

/**
 * One client's network: any transport, with faults on the way.
 *
 * Guarantees: without a fault it behaves as the transport below, and the clock does not move. What a client is told is
 * what a real network could tell it: an answered request is executed exactly once; one that ended otherwise at most
 * twice, possibly after the client was told. What is sent over one connection arrives in order.
 */
export class FaultyTransport implements Transport {
  readonly endpoints: readonly string[];
  readonly faults: CallFaults = new CallFaults();
  readonly routes: readonly Route[];
  /** Everything sent so far. */
  readonly sent: Sent[] = [];
  /** Leases granted to this client, also those that have ended. */
  readonly leases: Set<bigint> = new Set();

  readonly #inner: Transport;
  readonly #options: FaultyTransportOptions;
  readonly #streams = new Set<OpenStream>();
  readonly #watches = new Set<ReadonlyMap<bigint, WatchRequest>>();
  #leftOpen: readonly string[] = [];
  #isClosed = false;

  /** `inner` stays its owner's: closing this transport leaves it open. */
  constructor(inner: Transport, options: FaultyTransportOptions) {
    this.#inner = inner;
    this.#options = options;
    this.endpoints = inner.endpoints;
    this.routes = this.endpoints.map((endpoint) => new Route(options.clock, endpoint));
  }

  /** The watches that have been created and neither cancelled nor ended with their stream. */
  get watches(): readonly WatchRequest[] {
    return [...this.#watches].flatMap((watches) => [...watches.values()]);
  }

  /** Streams that nobody had closed when this was closed. */
  get leftOpen(): readonly string[] {
    return this.#leftOpen;
  }

  async unary<M extends Method>(
    endpoint: string,
    method: M,
    request: Calls[M]['request'],
    { signal, requireLeader }: UnaryOptions,
  ): Promise<Calls[M]['response']> {
    const { onTraffic } = this.#options;
    const route = this.#route(endpoint);
    if (route instanceof TransportError) throw route;
    if (signal.aborted) throw new TransportError('cancelled', 'the call was aborted', { neverSent: true });
    const execute = async (): Promise<Calls[M]['response']> => {
      onTraffic('executes', endpoint, method);
      const response = await this.#execute(route, method, request, requireLeader);
      if (method === 'leaseGrant' && 'id' in response) this.leases.add(response.id);
      return response;
    };
    this.#note({ method, endpoint, request });
    const call = new FaultyCall({ route, signal, execute });
    call.send(this.faults.verdictOn({ method, endpoint, request }));
    try {
      const response = await call.response;
      onTraffic('answer', endpoint, method, response);
      return response;
    } catch (error) {
      onTraffic('failure', endpoint, method, String(error));
      throw error;
    }
  }

  watchStream(endpoint: string, listener: StreamListener<WatchMessage>): Stream<WatchCommand> {
    const route = this.#route(endpoint);
    if (route instanceof TransportError) return deadStream(listener, route);
    const watches = new Map<bigint, WatchRequest>();
    const stream = new FaultyStream<WatchCommand, WatchMessage>({
      kind: 'watch',
      route,
      detours: [route.memberLag, route.watchLag],
      listener,
      serve: (served) => this.#inner.watchStream(endpoint, served),
      onMessage: (message) => {
        this.#options.onTraffic('watched', endpoint, message);
        if (message.canceled) watches.delete(message.watchId);
      },
      onOver: () => {
        this.#streams.delete(stream);
        this.#watches.delete(watches);
      },
    });
    this.#streams.add(stream);
    this.#watches.add(watches);
    return {
      send: (command) => {
        if (command.kind === 'create') {
          this.#note({ method: 'watch', endpoint, request: command });
          watches.set(command.watchId, command);
        } else if (command.kind === 'cancel') {
          watches.delete(command.watchId);
        }
        stream.send(command);
      },
      close: () => stream.close(),
    };
  }

  keepAliveStream(endpoint: string, listener: StreamListener<KeepAliveMessage>): Stream<KeepAliveCommand> {
    const route = this.#route(endpoint);
    if (route instanceof TransportError) return deadStream(listener, route);
    const stream = new FaultyStream<FatedRenewal, KeepAliveMessage>({
      kind: 'keepAlive',
      route,
      listener,
      serve: (served) =>
        new KeepAliveService({
          inner: this.#inner,
          route,
          listener: served,
          onBreak: () => stream.break(),
        }),
      onMessage: (message) => this.#options.onTraffic('renewed', endpoint, message),
      onOver: () => this.#streams.delete(stream),
    });
    this.#streams.add(stream);
    return {
      send: (command) => {
        const call = { method: 'keepAlive', endpoint, request: command } as const;
        this.#note(call);
        stream.send({ command, verdict: this.faults.verdictOn(call) });
      },
      close: () => stream.close(),
    };
  }

  reset(endpoint: string): void {
    this.#options.onTraffic('reset', endpoint);
    this.#find(endpoint)?.interruptAll(new TransportError('unavailable', 'the connection was reset'));
  }

  close(): Promise<void> {
    if (!this.#isClosed)
      this.#leftOpen = [...this.#streams].map(({ kind, endpoint }) => `${kind} stream to ${endpoint}`);
    this.#isClosed = true;
    for (const route of this.routes)
      route.interruptAll(new TransportError('cancelled', 'the transport was closed'));
    return Promise.resolve();
  }

  /** Streams of a kind break on their way, to one member or to all. */
  breakStreams(kind: StreamKind, endpoint?: string): void {
    for (const stream of [...this.#streams])
      if (stream.kind === kind && (endpoint === undefined || stream.endpoint === endpoint)) stream.break();
  }

  async #execute<M extends Method>(
    route: Route,
    method: M,
    request: Calls[M]['request'],
    requireLeader: boolean,
  ): Promise<Calls[M]['response']> {
    const { past } = this.#options;
    const options = { signal: never, requireLeader };
    const { lag, endpoint } = route;
    if (lag && method === 'get' && readsOld(request as GetOp, lag)) {
      const revision = past.revision(lag.ms);
      const old: Calls[M]['request'] = { ...request, revision };
      const response = await this.#inner.unary(endpoint, method, old, options).catch(isCompacted);
      if (response) return { ...response, header: { ...response.header, revision } };
    }
    const response = await this.#inner.unary(endpoint, method, request, options);
    // It has applied what it answers to.
    if (lag) await new Promise<void>((resolve) => route.later(lag.ms, resolve));
    return response;
  }

  /** The way to an endpoint, or why there is none. */
  #route(endpoint: string): Route | TransportError {
    const neverSent = { neverSent: true };
    if (this.#isClosed) return new TransportError('cancelled', 'the transport is closed', neverSent);
    const route = this.#find(endpoint);
    if (route === undefined)
      return new TransportError('unavailable', `there is no endpoint ${endpoint}`, neverSent);
    return route.isRefusing
      ? new TransportError('unavailable', `connection refused: ${endpoint}`, neverSent)
      : route;
  }

  #find(endpoint: string): Route | undefined {
    return this.routes.find((route) => route.endpoint === endpoint);
  }

  /** The compiler cannot tell that each method comes with its own request. */
  #note(sent: Pick<Sent, 'method' | 'endpoint' | 'request'>): void {
    this.#options.onTraffic('sends', sent.endpoint, sent.method, sent.request);
    this.sent.push({ ...sent, at: this.#options.clock.now() } as Sent);
  }
}

/** A read of the present, as the member knows it. */
function readsOld(request: GetOp, { readsStale }: Lag): boolean {
  return request.revision === 0n && (readsStale || request.serializable);
}

/** The others have compacted further than this member has got: by then it would have caught up. */
function isCompacted(error: unknown): undefined {
  if (error instanceof TransportError && error.detail.includes('compacted')) return undefined;
  throw error;
}
