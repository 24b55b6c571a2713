import { noop } from 'cockatiel';
import { ConnectionPool } from 'etcd3/lib/connection-pool.js';

import type { TlsOptions } from './options.js';
import { toBuffer } from './tls.js';

/**
 * etcd3's pool, reduced to what can be trusted in it: certificates, channels, and the protobuf definitions. One host, so
 * it chooses nothing; no fault policies, so it re-sends nothing; no login, since its own forgets to renew tokens.
 */
export function openPool(
  endpoint: string,
  tls: TlsOptions,
  grpcOptions: Readonly<Record<string, string | number>>,
): ConnectionPool {
  return new ConnectionPool({
    hosts: endpoint,
    ...(endpoint.startsWith('https:') && { credentials: toCredentials(tls) }),
    grpcOptions: { ...channelDefaults, ...toServerName(tls), ...grpcOptions, ...channelRules() },
    faultHandling: { host: () => noop, global: noop },
  });
}

const channelDefaults = {
  // etcd bounds what it sends; grpc-js' 4 MB would fail large but legal answers after they were given.
  'grpc.max_receive_message_length': -1,
  // Finds peers that are gone without a word. etcd closes connections that ping more often than every 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
};

/** Only ever compared: see `conclave.pool`. */
let pools = 0;

/** Not open to the user: each is part of a promise of the transport. */
function channelRules(): Record<string, number> {
  pools += 1;
  return {
    // A request is sent once; who may re-send what is decided in the store, and not in a DNS record either.
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    // grpc-js shares one socket between channels of equal options, all over the process. Options that differ give each
    // pool a socket of its own, so a reset really dials, and does not touch the sockets of others.
    'conclave.pool': pools,
  };
}

type Credentials = NonNullable<ConstructorParameters<typeof ConnectionPool>[0]['credentials']>;

/** etcd3's types demand an authority; grpc-js takes its absence as Node's own list. */
function toCredentials({ ca, cert, key }: TlsOptions): Credentials {
  const credentials: Partial<Credentials> = {
    ...(ca && { rootCertificate: toBuffer(ca) }),
    ...(key && { privateKey: toBuffer(key) }),
    ...(cert && { certChain: toBuffer(cert) }),
  };
  return credentials as Credentials;
}

function toServerName({ serverName }: TlsOptions): Record<string, string> {
  return serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName };
}
