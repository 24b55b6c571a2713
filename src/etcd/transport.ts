import {
  type AdminTransport,
  type Calls as MethodCalls,
  type KeepAliveCommand,
  type KeepAliveMessage,
  type Method,
  type Stream,
  type StreamListener,
  type Transport,
  TransportError,
  type TransportStatus,
  type UnaryOptions,
  type WatchCommand,
  type WatchMessage,
} from '../store/transport.js';
import { adminMethods } from './admin-methods.js';
import { Calls } from './calls.js';
import { Connection } from './connection.js';
import { methods } from './methods.js';
import type { EtcdTransportOptions } from './options.js';
import { asTransportError, isConnectionFailure } from './rpc-error.js';
import { checkEndpoint, type Settings, toSettings } from './settings.js';
import { snapshotPieces } from './snapshot-stream.js';
import { EtcdStream, keepAliveTranslation, type StreamTranslation, watchTranslation } from './stream.js';
import { type Exchange, exchange } from './unary.js';

/**
 * Carries requests to a real etcd, through the channels and protobuf definitions of npm `etcd3` and none of its logic.
 *
 * Guarantees:
 * - A request is sent once. The one exception: a server that refuses the *token* of a request has not looked at the
 *   request, so the transport logs in again and sends it a second time, once.
 * - An error that says `neverSent` left no byte of its request on a socket.
 * - Requests and streams end with their `reset` or `close`, also while the server, a login or an option's function hangs.
 *
 * Not guaranteed: an end by time. Requests end by their signal, streams by their owner, who hears when they fall silent.
 */
export class EtcdTransport implements Transport {
  readonly endpoints: readonly string[];
  readonly admin: AdminTransport = {
    unary: (endpoint, method, request, options) =>
      this.#exchange(endpoint, adminMethods[method], request, options),
    snapshot: (endpoint, signal) =>
      snapshotPieces(this.#calls, endpoint, signal, (call) =>
        this.#connected(endpoint, async (connection) => {
          // A new one: nothing here would notice that an old one is refused.
          const token = await connection.freshToken();
          return connection.serverStream(
            call,
            ['Maintenance', 'snapshot'],
            {},
            { token, requireLeader: false },
          );
        }),
      ),
    admit: (endpoint) => {
      checkEndpoint(endpoint, this.#settings.hasTls);
      this.#admitted.add(endpoint);
    },
  };
  readonly #admitted: Set<string>;
  readonly #settings: Settings;
  readonly #calls = new Calls();
  readonly #connections = new Map<string, Connection>();
  #closed = false;

  /** @throws TypeError or RangeError for options that cannot be used; nothing is dialled before the first call. */
  constructor(options: EtcdTransportOptions) {
    this.#settings = toSettings(options);
    this.endpoints = this.#settings.endpoints;
    this.#admitted = new Set(this.endpoints);
  }

  unary<M extends Method>(
    endpoint: string,
    method: M,
    request: MethodCalls[M]['request'],
    options: UnaryOptions,
  ): Promise<MethodCalls[M]['response']> {
    const translation: Exchange<MethodCalls[M]['request'], MethodCalls[M]['response']> = methods[method];
    return this.#exchange(endpoint, translation, request, options);
  }

  watchStream(endpoint: string, listener: StreamListener<WatchMessage>): Stream<WatchCommand> {
    return this.#stream(endpoint, watchTranslation, listener);
  }

  keepAliveStream(endpoint: string, listener: StreamListener<KeepAliveMessage>): Stream<KeepAliveCommand> {
    return this.#stream(endpoint, keepAliveTranslation, listener);
  }

  reset(endpoint: string): void {
    this.#end(endpoint, 'unavailable', 'the connection was reset from this side');
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const endpoint of this.#admitted) this.#end(endpoint, 'cancelled', 'the transport is closed');
    return Promise.resolve();
  }

  async #exchange<Request, Response>(
    endpoint: string,
    translation: Exchange<Request, Response>,
    request: Request,
    { signal, requireLeader }: UnaryOptions,
  ): Promise<Response> {
    const cancelled = 'cancelled by the caller';
    if (signal.aborted)
      throw new TransportError('cancelled', cancelled, { neverSent: true, cause: signal.reason });
    return this.#calls.run(endpoint, (call) => {
      const cancel = (): void => call.abort('cancelled', cancelled, signal.reason);
      signal.addEventListener('abort', cancel, { once: true });
      call.whenOver(() => signal.removeEventListener('abort', cancel));
      return this.#connected(endpoint, (connection) =>
        exchange(connection, call, translation, request, requireLeader),
      );
    });
  }

  #end(endpoint: string, status: TransportStatus, detail: string): void {
    const connection = this.#connections.get(endpoint);
    // First, since who hears of the end of a stream may open the next one at once.
    this.#connections.delete(endpoint);
    this.#calls.abort(endpoint, status, detail);
    connection?.close();
  }

  #stream<Command, Message>(
    endpoint: string,
    translation: StreamTranslation<Command, Message>,
    listener: StreamListener<Message>,
  ): Stream<Command> {
    let connection: Connection | undefined;
    const call = this.#calls.begin(endpoint, (error) => {
      if (isConnectionFailure(error)) this.#drop(connection);
      listener.ended(error);
    });
    return new EtcdStream(call, translation, listener, async () => {
      connection = this.#connection(endpoint);
      // etcd checks watches and leases against the token their stream was opened with, for as long as it lives.
      const token = await connection.freshToken();
      return connection.stream(call, translation.rpc, { token, requireLeader: true });
    });
  }

  /** Runs `work` on the connection of an endpoint, and drops the connection if that is what failed. */
  async #connected<T>(endpoint: string, work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#connection(endpoint);
    try {
      return await work(connection);
    } catch (error) {
      if (isConnectionFailure(asTransportError(error))) this.#drop(connection);
      throw error;
    }
  }

  #connection(endpoint: string): Connection {
    if (this.#closed) throw new TransportError('cancelled', 'the transport is closed', { neverSent: true });
    if (!this.#admitted.has(endpoint))
      throw new TransportError('invalid-argument', `${endpoint} is not an endpoint of this transport`, {
        neverSent: true,
      });
    const present = this.#connections.get(endpoint);
    if (present) return present;
    const connection = new Connection(endpoint, this.#settings, this.#calls);
    this.#connections.set(endpoint, connection);
    return connection;
  }

  /** Calls under way on it go on; the next one dials anew. */
  #drop(connection: Connection | undefined): void {
    if (!connection) return;
    connection.close();
    if (this.#connections.get(connection.endpoint) === connection)
      this.#connections.delete(connection.endpoint);
  }
}
