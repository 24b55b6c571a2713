import type {
  Calls,
  KeepAliveCommand,
  KeepAliveMessage,
  Method,
  Stream,
  StreamListener,
  Transport,
  UnaryOptions,
  WatchCommand,
  WatchMessage,
} from '../../src/store/transport.js';

/** A transport that keeps a list of what was asked of it. */
export class RecordingTransport implements Transport {
  readonly #inner: Transport;
  /** Unary methods, in the order in which they were sent. */
  readonly calls: Method[] = [];
  /** How many of them have had no answer yet. */
  unanswered = 0;
  /** Called before a call is sent; may throw what it fails with. */
  onCall: (method: Method, request: object) => void = () => {};
  /** Called when the answer to a call has come, before the caller sees it. */
  onAnswer: (method: Method) => void = () => {};
  /** Called when there will be none, before the caller sees it. */
  onFailure: (method: Method, request: object, error: unknown) => void = () => {};
  /** Watches created and cancelled, heartbeats asked for. */
  readonly watchCommands: WatchCommand['kind'][] = [];
  /** Creations of watches that were answered. */
  watchesCreated = 0;
  /** Renewals of leases. */
  renewals = 0;
  /** Watches that were told that what they asked for is compacted. */
  compactedWatches = 0;
  /** Whom the latest stream of each kind went to. */
  watchEndpoint: string | undefined;
  keepAliveEndpoint: string | undefined;

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  get endpoints(): readonly string[] {
    return this.#inner.endpoints;
  }

  async unary<M extends Method>(
    endpoint: string,
    method: M,
    request: Calls[M]['request'],
    options: UnaryOptions,
  ): Promise<Calls[M]['response']> {
    this.calls.push(method);
    this.onCall(method, request);
    this.unanswered += 1;
    try {
      const answer = await this.#inner.unary(endpoint, method, request, options);
      this.onAnswer(method);
      return answer;
    } catch (error) {
      this.onFailure(method, request, error);
      throw error;
    } finally {
      this.unanswered -= 1;
    }
  }

  watchStream(endpoint: string, listener: StreamListener<WatchMessage>): Stream<WatchCommand> {
    this.watchEndpoint = endpoint;
    const stream = this.#inner.watchStream(endpoint, {
      message: (message) => {
        if (message.compactRevision !== 0n) this.compactedWatches += 1;
        listener.message(message);
        if (message.created) this.watchesCreated += 1;
      },
      ended: (error) => listener.ended(error),
    });
    return {
      send: (command) => {
        this.watchCommands.push(command.kind);
        stream.send(command);
      },
      close: () => stream.close(),
    };
  }

  keepAliveStream(endpoint: string, listener: StreamListener<KeepAliveMessage>): Stream<KeepAliveCommand> {
    this.keepAliveEndpoint = endpoint;
    const stream = this.#inner.keepAliveStream(endpoint, listener);
    return {
      send: (command) => {
        this.renewals += 1;
        stream.send(command);
      },
      close: () => stream.close(),
    };
  }

  reset(endpoint: string): void {
    this.#inner.reset(endpoint);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
