import { systemRuntime } from '../../src/base/runtime.js';
import type { EtcdTransportOptions } from '../../src/etcd/options.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import {
  type Calls,
  type KeepAliveMessage,
  type Method,
  type Stream,
  TransportError,
  type WatchCommand,
  type WatchMessage,
} from '../../src/store/transport.js';

type Request<M extends Method> = Calls[M]['request'];
type Response<M extends Method> = Calls[M]['response'];

/** A transport to one endpoint, with the arguments a test does not care about filled in. */
export class Client implements AsyncDisposable {
  readonly transport: EtcdTransport;
  readonly endpoint: string;

  constructor(endpoint: string, options: Partial<EtcdTransportOptions> = {}) {
    this.endpoint = endpoint;
    this.transport = new EtcdTransport({
      endpoints: [endpoint],
      runtime: systemRuntime,
      dialTimeoutMs: 5_000,
      ...options,
    });
  }

  call<M extends Method>(
    method: M,
    request: Request<M>,
    signal: AbortSignal = AbortSignal.timeout(10_000),
  ): Promise<Response<M>> {
    return this.transport.unary(this.endpoint, method, request, { signal, requireLeader: false });
  }

  /** The error of a call that is expected to fail. */
  async failure<M extends Method>(
    method: M,
    request: Request<M>,
    signal?: AbortSignal,
  ): Promise<TransportError> {
    return errorOf(this.call(method, request, signal));
  }

  watch(): Recorded<WatchMessage, Stream<WatchCommand>> {
    return record((listener) => this.transport.watchStream(this.endpoint, listener));
  }

  keepAlive(): Recorded<KeepAliveMessage, ReturnType<EtcdTransport['keepAliveStream']>> {
    return record((listener) => this.transport.keepAliveStream(this.endpoint, listener));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.transport.close();
  }
}

/** A stream and everything it said. */
export interface Recorded<Message, S> {
  readonly stream: S;
  readonly messages: Message[];
  readonly ends: TransportError[];
}

type Listener<Message> = { message(message: Message): void; ended(error: TransportError): void };

function record<Message, S>(open: (listener: Listener<Message>) => S): Recorded<Message, S> {
  const messages: Message[] = [];
  const ends: TransportError[] = [];
  const stream = open({
    message: (message) => messages.push(message),
    ended: (error) => ends.push(error),
  });
  return { stream, messages, ends };
}

export async function errorOf(promise: Promise<unknown>): Promise<TransportError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (error instanceof TransportError) return error;
  throw error;
}

/** A command that watches one range, with the fields a test does not care about filled in. */
export function watchOf(
  watchId: bigint,
  range: { key: Uint8Array; end?: Uint8Array },
  more: Partial<Extract<WatchCommand, { kind: 'create' }>> = {},
): WatchCommand {
  return { kind: 'create', watchId, range, startRevision: 0n, prevKv: false, exclude: [], ...more };
}
