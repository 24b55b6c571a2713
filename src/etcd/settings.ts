import { endpointText } from '../base/endpoint-text.js';
import type { Runtime } from '../base/runtime.js';
import { fromEtcd3 } from './etcd3-options.js';
import type { EtcdTransportOptions } from './options.js';
import type { TlsOptions } from './tls-options.js';
import { checkedTls } from './tls.js';

/** The options, checked, with one shape for each thing that could be given in several. */
export interface Settings {
  readonly endpoints: readonly string[];
  readonly login: Login | undefined;
  readonly tls: () => TlsOptions | Promise<TlsOptions>;
  /** Whether the user has given `tls`. */
  readonly hasTls: boolean;
  readonly grpcOptions: Readonly<Record<string, string | number>>;
  readonly runtime: Runtime;
  readonly dialTimeoutMs: number;
}

export interface Login {
  readonly username: string;
  readonly password: () => string | Promise<string>;
}

/** etcd answers more frequent pings with "too many pings" and closes the connection. */
const minKeepaliveMs = 5_000;

/** @throws TypeError or RangeError that names the option. */
export function toSettings(options: EtcdTransportOptions): Settings {
  const { endpoints, username, password, tls } = merged(options);
  if (endpoints.length === 0)
    throw new TypeError('endpoints must not be empty: name at least one, such as http://127.0.0.1:2379');
  for (const endpoint of endpoints) checkEndpoint(endpoint, tls !== undefined);
  if (new Set(endpoints).size < endpoints.length) throw new TypeError('endpoints must differ');
  if (!(options.dialTimeoutMs > 0)) throw new RangeError('dialTimeoutMs must be above 0');
  return {
    endpoints: [...endpoints],
    login: toLogin(username, password),
    tls: toTlsReader(tls),
    hasTls: tls !== undefined,
    grpcOptions: checkedGrpcOptions(options.etcd3?.grpcOptions ?? {}),
    runtime: options.runtime,
    dialTimeoutMs: options.dialTimeoutMs,
  };
}

type Merged = Pick<EtcdTransportOptions, 'username' | 'password' | 'tls'> & {
  readonly endpoints: readonly string[];
};

function merged({ endpoints, etcd3, username, password, tls }: EtcdTransportOptions): Merged {
  const own = {
    ...(endpoints && { endpoints }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls }),
  };
  const theirs = etcd3 ? fromEtcd3(etcd3) : undefined;
  for (const name of Object.keys(theirs ?? {}))
    if (name in own) throw new TypeError(`${name} is given twice: directly and in etcd3`);
  return { endpoints: [], ...theirs, ...own };
}

/** @throws TypeError */
export function checkEndpoint(endpoint: string, withTls: boolean): void {
  const match = /^(https?):\/\/(?:\[[\da-fA-F:.]+\]|[^\s/:,@?#[\]]+):(\d{1,5})$/.exec(endpoint);
  const port = Number(match?.[2]);
  if (!match || port < 1 || port > 65_535)
    throw new TypeError(`endpoint must be http(s)://host:port, not ${endpointText(endpoint)}`);
  // Whoever gives certificates believes the connection is safe.
  if (withTls && match[1] === 'http') throw new TypeError(`tls is given, but ${endpoint} is not https`);
}

function toTlsReader(tls: EtcdTransportOptions['tls'] = {}): Settings['tls'] {
  if (typeof tls === 'function') return async () => checkedTls(await tls());
  const checked = checkedTls(tls);
  return () => checked;
}

function toLogin(
  username: string | undefined,
  password: EtcdTransportOptions['password'],
): Login | undefined {
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || username === '' || password === undefined)
    throw new TypeError('username and password need each other');
  return { username, password: typeof password === 'function' ? password : () => password };
}

function checkedGrpcOptions(options: Settings['grpcOptions']): Settings['grpcOptions'] {
  for (const name of ['grpc.keepalive_time_ms', 'grpc.keepalive_timeout_ms'])
    if (Number(options[name] ?? minKeepaliveMs) < minKeepaliveMs)
      throw new RangeError(`${name} must be ${minKeepaliveMs} or more: etcd closes busier connections`);
  return options;
}
