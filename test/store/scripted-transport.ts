import type { Header, StoreEvent } from '../../src/store/results.js';
import {
  type Calls,
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
} from '../../src/store/transport.js';

export function header(revision: bigint, raftTerm = 1n): Header {
  return { clusterId: 1n, memberId: 1n, revision, raftTerm };
}

export const unavailable = (detail = 'connection lost'): TransportError =>
  new TransportError('unavailable', detail);

export const neverSent = (
  detail = 'No connection established. Last error: connect ECONNREFUSED',
  status: TransportStatus = 'unavailable',
): TransportError => new TransportError(status, detail, { neverSent: true });

export function put(key: string, modRevision: bigint): StoreEvent {
  const bytes = new TextEncoder().encode(key);
  return {
    type: 'put',
    kv: { key: bytes, value: bytes, createRevision: 1n, modRevision, version: 1n, lease: 0n },
  };
}

/** A request that waits for the test to decide its fate. */
export class ScriptedCall {
  readonly endpoint: string;
  readonly method: Method;
  readonly request: unknown;
  readonly options: UnaryOptions;
  readonly #settle: { resolve(response: unknown): void; reject(error: unknown): void };

  constructor(
    endpoint: string,
    method: Method,
    request: unknown,
    options: UnaryOptions,
    settle: { resolve(response: unknown): void; reject(error: unknown): void },
  ) {
    this.endpoint = endpoint;
    this.method = method;
    this.request = request;
    this.options = options;
    this.#settle = settle;
  }

  answer(response: object = {}): void {
    this.#settle.resolve({ header: header(1n), ...response });
  }

  fail(error: unknown): void {
    this.#settle.reject(error);
  }
}

/** A stream whose messages and end are up to the test; like a careless transport it delivers even after its close. */
export class ScriptedStream<Command, Message> implements Stream<Command> {
  readonly endpoint: string;
  readonly commands: Command[] = [];
  isClosed = false;
  readonly #listener: StreamListener<Message>;

  constructor(endpoint: string, listener: StreamListener<Message>) {
    this.endpoint = endpoint;
    this.#listener = listener;
  }

  send(command: Command): void {
    if (!this.isClosed) this.commands.push(command);
  }

  close(): void {
    this.isClosed = true;
  }

  message(message: Message): void {
    this.#listener.message(message);
  }

  end(error: TransportError = unavailable()): void {
    this.#listener.ended(error);
  }
}

export class WatchStream extends ScriptedStream<WatchCommand, WatchMessage> {
  get creates(): Extract<WatchCommand, { kind: 'create' }>[] {
    return this.commands.filter((command) => command.kind === 'create');
  }

  /** The id under which the latest watch of `key` was created here. */
  idOf(key: string): bigint {
    return this.creates.findLast(({ range }) => new TextDecoder().decode(range.key) === key)!.watchId;
  }

  say(message: Partial<WatchMessage>): void {
    this.message({
      header: header(1n),
      watchId: -1n,
      created: false,
      canceled: false,
      cancelReason: '',
      compactRevision: 0n,
      fragment: false,
      events: [],
      ...message,
    });
  }

  created(key: string, revision: bigint): void {
    this.say({ watchId: this.idOf(key), created: true, header: header(revision) });
  }

  /** One message with a put of `key` at each of the revisions. */
  puts(key: string, ...revisions: readonly bigint[]): void {
    this.say({ watchId: this.idOf(key), events: revisions.map((revision) => put(key, revision)) });
  }

  /** As etcd 3.4.23 refuses a creation: without its id. It answers creations in their order. */
  refuse(cancelReason: string): void {
    this.say({ watchId: -1n, created: true, canceled: true, cancelReason });
  }
}

export class KeepAliveStream extends ScriptedStream<KeepAliveCommand, KeepAliveMessage> {
  get leases(): bigint[] {
    return this.commands.map(({ lease }) => lease);
  }

  renewed(lease: bigint, ttlSeconds: number, raftTerm = 1n): void {
    this.message({ header: header(1n, raftTerm), lease, ttlSeconds });
  }
}

/** A network of which the test decides what each endpoint answers, and when. */
export class ScriptedTransport implements Transport {
  readonly endpoints: readonly string[];
  readonly calls: ScriptedCall[] = [];
  readonly watchStreams: WatchStream[] = [];
  readonly keepAliveStreams: KeepAliveStream[] = [];
  readonly resets: string[] = [];
  isClosed = false;
  /** Decides at once what the test does not want to decide call by call. */
  onCall: (call: ScriptedCall) => void = () => {};
  /** Whether a request that is cancelled had left this process. */
  sends = true;
  /** What else happens at a reset: a real transport ends the streams of the endpoint before it returns. */
  onReset: (endpoint: string) => void = () => {};

  constructor(...endpoints: readonly string[]) {
    this.endpoints = endpoints;
  }

  unary<M extends Method>(
    endpoint: string,
    method: M,
    request: Calls[M]['request'],
    options: UnaryOptions,
  ): Promise<Calls[M]['response']> {
    return new Promise((resolve, reject) => {
      const settle = { resolve: resolve as (response: unknown) => void, reject };
      const call = new ScriptedCall(endpoint, method, request, options, settle);
      options.signal.addEventListener('abort', () =>
        reject(new TransportError('cancelled', 'cancelled by the caller', { neverSent: !this.sends })),
      );
      this.calls.push(call);
      this.onCall(call);
    });
  }

  watchStream(endpoint: string, listener: StreamListener<WatchMessage>): WatchStream {
    const stream = new WatchStream(endpoint, listener);
    this.watchStreams.push(stream);
    return stream;
  }

  keepAliveStream(endpoint: string, listener: StreamListener<KeepAliveMessage>): KeepAliveStream {
    const stream = new KeepAliveStream(endpoint, listener);
    this.keepAliveStreams.push(stream);
    return stream;
  }

  reset(endpoint: string): void {
    this.resets.push(endpoint);
    this.onReset(endpoint);
  }

  close(): Promise<void> {
    this.isClosed = true;
    for (const call of this.calls)
      call.fail(new TransportError('cancelled', 'the transport is closed', { neverSent: !this.sends }));
    return Promise.resolve();
  }
}
