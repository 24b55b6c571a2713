import type { ConnectionPool } from 'etcd3/lib/connection-pool.js';

import { TransportError } from '../store/transport.js';
import { Authenticator, type Token } from './authenticator.js';
import type { Call, Calls } from './calls.js';
import type {
  Client,
  Duplex,
  Metadata,
  ReadMethod,
  Rpc,
  ServerStream,
  Service,
  StreamMethod,
  UnaryMethod,
} from './grpc.js';
import { openPool } from './pool.js';
import { asTransportError, isRpcError, toTransportError } from './rpc-error.js';
import type { Login, Settings } from './settings.js';
import { Sockets } from './sockets.js';

/** What a call says besides its request. */
export interface Headers {
  readonly token?: Token;
  readonly requireLeader: boolean;
}

/**
 * One dial of one endpoint, and the login made there. When it fails it is thrown away, not dialled again: the next one
 * reads certificates and password anew, and has no gRPC backoff to wait for, since when to try again is decided above
 * the transport.
 */
export class Connection {
  readonly endpoint: string;
  readonly #settings: Settings;
  readonly #calls: Calls;
  readonly #pool: Promise<ConnectionPool>;
  readonly #clients = new Set<Client>();
  readonly #sockets = new Sockets();
  readonly #authenticator: Authenticator | undefined;
  #underWay = 0;
  #closed = false;

  constructor(endpoint: string, settings: Settings, calls: Calls) {
    this.endpoint = endpoint;
    this.#settings = settings;
    this.#calls = calls;
    this.#pool = this.#dialling('reading tls', () =>
      secret('tls', async () => {
        const pool = openPool(endpoint, await settings.tls(), settings.grpcOptions);
        this.#sockets.watch(pool);
        return pool;
      }),
    );
    this.#pool.catch(() => {}); // every call on this connection reports it
    const { login } = settings;
    this.#authenticator = login && new Authenticator(() => this.#logIn(login));
  }

  /** What to authenticate a call with. */
  async token(): Promise<Token> {
    return this.#authenticator?.token();
  }

  /** One that the server has not had time to forget. */
  async freshToken(): Promise<Token> {
    return this.#authenticator?.fresh();
  }

  /** Another one after this was refused; undefined without a login. */
  async renewedToken(refused: Token): Promise<Token> {
    return this.#authenticator?.renewed(refused);
  }

  async unary(
    call: Call,
    [service, method]: readonly [Service, UnaryMethod],
    request: object,
    headers: Headers,
  ): Promise<unknown> {
    const { client, metadata } = await this.#prepare(service, headers);
    return new Promise((resolve, reject) => {
      this.#start(call, () =>
        client[method](request, metadata, (error, response) => {
          if (error) reject(toTransportError(error));
          else resolve(response);
        }),
      );
    });
  }

  async stream(
    call: Call,
    [service, method]: readonly [Service, StreamMethod],
    headers: Headers,
  ): Promise<Duplex> {
    const { client, metadata } = await this.#prepare(service, headers);
    return this.#start(call, () => client[method](metadata));
  }

  /** A stream on which the server alone speaks. The call hears of its error. */
  async serverStream(
    call: Call,
    [service, method]: readonly [Service, ReadMethod],
    request: object,
    headers: Headers,
  ): Promise<ServerStream> {
    const { client, metadata } = await this.#prepare(service, headers);
    return this.#start(call, () => {
      const stream = client[method](request, metadata);
      // At once: an error that nobody listens to would end the process.
      return stream.on('error', (error) => call.fail(isRpcError(error) ? toTransportError(error) : error));
    });
  }

  /** Calls that were sent run to their end, unless they are ended too. No connected socket outlives them. */
  close(): void {
    this.#closed = true;
    // Before the pool does it: that leaves a channel that is still connecting open for a second.
    for (const client of this.#clients) client.close();
    this.#pool.then(
      (pool) => pool.close(),
      () => {},
    );
    this.#endSockets();
  }

  async #prepare(service: Service, headers: Headers): Promise<{ client: Client; metadata: Metadata }> {
    const pool = await this.#pool;
    // etcd3 resets the channels of a function that rejects, so this one only hands out what it is given.
    const { client, metadata } = await pool
      .withConnection(service, (connected) => ({
        client: connected.client as unknown as Client,
        metadata: connected.metadata,
      }))
      .catch((cause: unknown) => {
        throw closed(cause);
      });
    this.#clients.add(client);
    if (headers.token !== undefined) metadata.set('token', headers.token);
    if (headers.requireLeader) metadata.set('hasleader', 'true');
    return { client, metadata };
  }

  /** Opens an RPC, unless the connection was closed while it was prepared: grpc-js would throw an error of its own. */
  #start<R extends Rpc>(call: Call, open: () => R): R {
    if (this.#closed) throw closed();
    this.#underWay += 1;
    call.whenOver(() => {
      this.#underWay -= 1;
      this.#endSockets();
    });
    return call.start(open);
  }

  #endSockets(): void {
    if (this.#closed && this.#underWay === 0) this.#sockets.close();
  }

  async #logIn({ username, password }: Login): Promise<Token> {
    try {
      return await this.#dialling('authentication', async (call) => {
        const request = { name: username, password: await secret('password', password) };
        const answer = await this.unary(call, ['Auth', 'authenticate'], request, { requireLeader: false });
        return (answer as { token: string }).token;
      });
    } catch (error) {
      if (error instanceof TransportError && error.detail === 'etcdserver: authentication is not enabled')
        return undefined; // so that a login can be deployed before authentication is enabled
      throw error;
    }
  }

  /** Bounds what comes before requests can be sent. All of its errors say `neverSent`, for the requests that wait. */
  async #dialling<T>(what: string, work: (call: Call) => Promise<T>): Promise<T> {
    const { runtime, dialTimeoutMs } = this.#settings;
    try {
      return await this.#calls.run(this.endpoint, (call) => {
        const timer = runtime.setTimer(dialTimeoutMs, () =>
          call.abort('unavailable', `${what} took longer than ${dialTimeoutMs} ms`),
        );
        call.whenOver(() => timer.cancel());
        return work(call);
      });
    } catch (cause) {
      const { status, detail } = asTransportError(cause);
      throw new TransportError(status, detail, { neverSent: true, cause });
    }
  }
}

function closed(cause?: unknown): TransportError {
  return new TransportError('unavailable', 'the connection is closed', { neverSent: true, cause });
}

/** Reads an option that may be a function. Its failure may pass, so it counts as an endpoint that is away. */
async function secret<T>(option: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new TransportError('unavailable', `${option} cannot be had: ${text}`, {
      neverSent: true,
      cause,
    });
  }
}
