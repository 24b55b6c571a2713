import type { TlsOptions } from './tls-options.js';

/** The options of `new Etcd3` that mean something here. */
export interface Etcd3Options {
  /** With or without a scheme; without one, `credentials` decides between `https` and `http`. */
  readonly hosts: string | readonly string[];
  readonly credentials?: {
    readonly rootCertificate?: Uint8Array;
    readonly privateKey?: Uint8Array;
    readonly certChain?: Uint8Array;
  };
  readonly auth?: { readonly username: string; readonly password: string };
  /** Channel options of `@grpc/grpc-js`. */
  readonly grpcOptions?: Readonly<Record<string, string | number>>;
}

/** Refused rather than ignored: each of them breaks a promise of this library. */
const refused: Readonly<Record<string, string>> = {
  faultHandling: 'a policy that re-sends a write can apply it twice; retries are decided in the store',
  dialTimeout: 'etcd3 never reads it; use dialTimeoutMs',
  defaultCallOptions: 'gRPC deadlines follow the wall clock; use timeoutMs and signal of each call',
};

const known: readonly string[] = ['hosts', 'credentials', 'auth', 'grpcOptions'];

/** The same in the names of `EtcdTransportOptions`. */
interface FromEtcd3 {
  readonly endpoints: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly tls?: TlsOptions;
}

/** @throws TypeError naming the option that cannot be honoured. */
export function fromEtcd3(options: Etcd3Options): FromEtcd3 {
  for (const name of Object.keys(options)) {
    const reason = refused[name];
    if (reason !== undefined) throw new TypeError(`etcd3.${name} is not supported: ${reason}`);
    if (!known.includes(name)) throw new TypeError(`etcd3.${name} is not supported`);
  }
  const { hosts, auth, credentials } = options;
  if (auth && 'callOptions' in auth) throw new TypeError('etcd3.auth.callOptions is not supported');
  const scheme = credentials ? 'https://' : 'http://';
  const list = typeof hosts === 'string' ? [hosts] : hosts;
  return {
    endpoints: list.map((host) => (host.includes('://') ? host : scheme + host)),
    ...(auth && { username: auth.username, password: auth.password }),
    ...(credentials && { tls: toTls(credentials) }),
  };
}

function toTls({
  rootCertificate,
  privateKey,
  certChain,
}: NonNullable<Etcd3Options['credentials']>): TlsOptions {
  return {
    ...(rootCertificate && { ca: rootCertificate }),
    ...(privateKey && { key: privateKey }),
    ...(certChain && { cert: certChain }),
  };
}
