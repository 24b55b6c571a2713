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
import type { Engine } from './engine.js';
import { type ServerStream, StreamSet } from './stream-set.js';

/**
 * Carries requests to an engine in the same process. An answer comes in a later microtask; the clock does not move.
 *
 * Several transports may share one engine, and closing a transport leaves the engine alone. With several endpoint
 * names, the one engine stands for all members of a cluster.
 */
export class MemoryTransport implements Transport {
  readonly endpoints: readonly string[];
  readonly #engine: Engine;
  readonly #connections = new Map<string, Connection>();
  #closed = false;

  constructor(engine: Engine, endpoints: readonly string[] = ['memory:']) {
    this.#engine = engine;
    this.endpoints = endpoints;
  }

  async unary<M extends Method>(
    endpoint: string,
    method: M,
    request: Calls[M]['request'],
    { signal }: UnaryOptions,
  ): Promise<Calls[M]['response']> {
    const connection = this.#connect(endpoint);
    connection.check(signal);
    const answer = this.#engine.execute(method, request);
    await Promise.resolve(); // the way back, on which an answer can get lost
    connection.check(signal);
    return answer;
  }

  watchStream(endpoint: string, listener: StreamListener<WatchMessage>): Stream<WatchCommand> {
    return this.#connect(endpoint).serve(this.#engine.watchStream(listener));
  }

  keepAliveStream(endpoint: string, listener: StreamListener<KeepAliveMessage>): Stream<KeepAliveCommand> {
    return this.#connect(endpoint).serve(this.#engine.keepAliveStream(listener));
  }

  reset(endpoint: string): void {
    this.#connections.get(endpoint)?.end(new TransportError('unavailable', 'the connection was reset'));
    this.#connections.delete(endpoint);
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#connections.values()) connection.end(cancelled('the transport is closed'));
    this.#connections.clear();
    return Promise.resolve();
  }

  #connect(endpoint: string): Connection {
    if (this.#closed) return new Connection(cancelled('the transport is closed', { neverSent: true }));
    if (!this.endpoints.includes(endpoint))
      return new Connection(
        new TransportError('unavailable', `there is no endpoint ${endpoint}`, { neverSent: true }),
      );
    const connection = this.#connections.get(endpoint) ?? new Connection();
    this.#connections.set(endpoint, connection);
    return connection;
  }
}

/** What the calls and streams to one endpoint share: when it ends, they all do. */
class Connection {
  readonly #streams = new StreamSet();
  #error: TransportError | undefined;

  /** An `error` makes it one that never came to be. */
  constructor(error?: TransportError) {
    this.#error = error;
  }

  /** @throws TransportError if a call cannot go on: the connection ended, or the caller gave up. */
  check(signal: AbortSignal): void {
    if (this.#error !== undefined) throw this.#error;
    if (signal.aborted) throw cancelled('the call was aborted');
  }

  serve<Command>(stream: ServerStream<Command>): Stream<Command> {
    const served = this.#streams.add(stream);
    if (this.#error !== undefined) served.end(this.#error);
    return served;
  }

  end(error: TransportError): void {
    this.#error = error;
    this.#streams.endAll(error);
  }
}

function cancelled(detail: string, options?: { neverSent: boolean }): TransportError {
  return new TransportError('cancelled', detail, options);
}
