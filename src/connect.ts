import { endpointText } from './base/endpoint-text.js';
import { sessionKey } from './base/keys.js';
import { AuthError, UnavailableError } from './base/errors.js';
import { type Runtime, systemRuntime } from './base/runtime.js';
import { checkOptions } from './base/wait.js';
import { Conclave } from './conclave.js';
import type { ConclaveOptions, FoundationOptions } from './conclave-options.js';
import type { EtcdTransportOptions } from './etcd/options.js';
import type { Engine } from './memory/engine.js';
import { type Transport, TransportError } from './store/transport.js';

export interface ConnectOptions
  extends ConclaveOptions, Omit<EtcdTransportOptions, 'runtime' | 'dialTimeoutMs'> {}

const knownOptions = [
  ...['endpoints', 'etcd3', 'username', 'password', 'tls', 'dialTimeoutMs'],
  ...['namespace', 'sessionTtlMs', 'holder', 'runtime'],
];
const memoryScheme = 'memory:';
const defaultDialTimeoutMs = 5_000;

/**
 * Connects, and resolves once the store has answered.
 *
 * Targets: `http://host:port[,host:port...]` or `https://...` for etcd; `memory:` for an embedded engine of one's own,
 * `memory:<name>` for one shared by name within this process, from its first to its last open Conclave.
 *
 * @throws TypeError, RangeError for bad options, before any I/O
 * @throws UnavailableError naming the endpoints, if none has answered within `dialTimeoutMs`
 * @throws AuthError for a wrong password, an untrusted certificate, or a role that does not cover the namespace
 */
export async function connect(target: string | ConnectOptions): Promise<Conclave> {
  const options = (typeof target === 'string' ? fromText(target) : target) as ConnectOptions | null;
  if (typeof options !== 'object' || options === null)
    throw new TypeError('connect needs a target: a string, or options');
  checkOptions(options, knownOptions, 'connect');
  const runtime = options.runtime ?? systemRuntime;
  const endpoints: unknown = options.endpoints ?? [];
  if (!Array.isArray(endpoints) || !endpoints.every((each) => typeof each === 'string'))
    throw new TypeError('endpoints must be an array of strings');
  const [first, ...others] = endpoints;
  if (first?.startsWith(memoryScheme)) {
    if (others.length > 0) throw new TypeError(`"${first}" cannot be combined with other endpoints`);
    return connectMemory(first, runtime, options);
  }
  return connectEtcd(runtime, options);
}

async function connectEtcd(runtime: Runtime, options: ConnectOptions): Promise<Conclave> {
  const dialTimeoutMs = options.dialTimeoutMs ?? defaultDialTimeoutMs;
  // Only here: a program on the embedded engine never loads gRPC. On a busy machine that takes seconds, which say nothing
  // about the store: the time limit begins afterwards.
  const { EtcdTransport } = await import('./etcd/transport.js');
  const transport = new EtcdTransport({ ...options, runtime, dialTimeoutMs });
  return opened(transport, { ...options, runtime, keepsAlive: true }, dialTimeoutMs);
}

/** Checks that the store answers and lets us into the namespace: one linearizable read of a key that never exists. */
async function opened(
  transport: Transport,
  options: FoundationOptions,
  timeoutMs: number,
): Promise<Conclave> {
  const conclave = await over(transport, options);
  try {
    const key = sessionKey(conclave.namespace, 0n);
    await conclave.store.get(key, { countOnly: true, timeoutMs });
    return conclave;
  } catch (error) {
    await conclave.close();
    const where = transport.endpoints.join(', ');
    if (error instanceof AuthError)
      throw new AuthError(`cannot connect to ${where}: ${error.message}`, { cause: error });
    if (!(error instanceof UnavailableError)) throw error;
    const why = error.cause instanceof TransportError ? error.cause.detail : error.message;
    throw new UnavailableError(
      `cannot connect to ${where}: ${why}.${schemeAdvice(why)} Is etcd running there?`,
      {
        cause: error,
      },
    );
  }
}

/** What gRPC says if one side speaks TLS and the other does not. */
function schemeAdvice(why: string): string {
  if (why.includes('before secure TLS connection was established') || why.includes('wrong version number'))
    return ' Perhaps it speaks no TLS: then the address begins with http://.';
  if (why.includes('Last error: Failed to connect'))
    return ' Perhaps it speaks TLS: then the address begins with https://.';
  return '';
}

/** A Conclave that bad options do not allow leaves no transport behind. */
async function over(transport: Transport, options: FoundationOptions): Promise<Conclave> {
  try {
    return Conclave.over(transport, options);
  } catch (error) {
    await transport.close();
    throw error;
  }
}

function fromText(target: string): ConnectOptions {
  if (target.startsWith(memoryScheme)) return { endpoints: [target] };
  const scheme = /^https?:\/\//.exec(target)?.[0];
  if (scheme === undefined) {
    throw new TypeError(
      `expected http://host:port, https://host:port or memory:, got ${endpointText(target)}`,
    );
  }
  return { endpoints: target.split(',').map((part) => (part.includes('://') ? part : scheme + part)) };
}

interface SharedEngine {
  readonly engine: Engine;
  users: number;
}

const sharedEngines = new Map<string, SharedEngine>();

async function connectMemory(target: string, runtime: Runtime, options: ConnectOptions): Promise<Conclave> {
  const [{ Engine: EmbeddedEngine }, { MemoryTransport }] = await Promise.all([
    import('./memory/engine.js'),
    import('./memory/transport.js'),
  ]);
  const name = target.slice(memoryScheme.length);
  const shared = sharedEngines.get(name) ?? { engine: new EmbeddedEngine({ runtime }), users: 0 };
  const transport = new MemoryTransport(shared.engine, [target]);
  const endEngine = (): void => {
    if (--shared.users > 0) return;
    sharedEngines.delete(name);
    shared.engine.close();
  };
  // Counted only once nothing can fail any more but the opening, which then closes the transport.
  shared.users++;
  if (name !== '') sharedEngines.set(name, shared);
  return opened(closingToo(transport, endEngine), { ...options, runtime }, defaultDialTimeoutMs);
}

/** The transport, and `also` once when it has been closed. */
function closingToo(transport: Transport, also: () => void): Transport {
  let isClosed = false;
  return {
    endpoints: transport.endpoints,
    unary: (endpoint, method, request, options) => transport.unary(endpoint, method, request, options),
    watchStream: (endpoint, listener) => transport.watchStream(endpoint, listener),
    keepAliveStream: (endpoint, listener) => transport.keepAliveStream(endpoint, listener),
    reset: (endpoint) => transport.reset(endpoint),
    close: async () => {
      await transport.close();
      if (isClosed) return;
      isClosed = true;
      also();
    },
  };
}
