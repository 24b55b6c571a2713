import type { Runtime } from '../base/runtime.js';
import type { Etcd3Options } from './etcd3-options.js';
import type { TlsOptions } from './tls-options.js';

/** Where etcd is and how to prove who we are. Everything is checked before any I/O. */
export interface EtcdTransportOptions {
  /** `http://host:port` or `https://host:port`, all of one cluster. Give these or `etcd3`, not both. */
  readonly endpoints?: readonly string[];
  /** Name of the etcd user; needs `password`. @default no authentication */
  readonly username?: string;
  /** A function is called at each authentication, so a rotated password is picked up. */
  readonly password?: string | (() => string | Promise<string>);
  /** For `https` endpoints only. A function is called at each new connection. @default the authorities Node trusts */
  readonly tls?: TlsOptions | (() => TlsOptions | Promise<TlsOptions>);
  /** What one would give to `new Etcd3(...)`, for programs that have it already. */
  readonly etcd3?: Etcd3Options;
  readonly runtime: Runtime;
  /** Bounds what comes before a request can be sent: `tls` and `password` functions and the authentication. */
  readonly dialTimeoutMs: number;
}
