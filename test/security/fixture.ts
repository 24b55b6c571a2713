import { Etcd3 } from 'etcd3';

import { type Conclave, connect, type ConnectOptions } from '../../src/index.js';
import type { Certificates } from '../rig/certificates.js';
import { Cluster, type ClusterOptions } from '../rig/cluster.js';

export const rootPassword = 'root of all';

/** Hashes of passwords are made to be slow; here they are not the point. */
const cheapHashes = '--bcrypt-cost=4';

type Auth = Etcd3['auth'];

/** What a role may do, below these prefixes; what does not end with "/" is a single key. */
export interface Permissions {
  readonly readwrite?: readonly string[];
  readonly read?: readonly string[];
}

/** An etcd with authentication, and clients of it. */
export class Secured implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly #root: Etcd3;
  readonly #clients: Conclave[] = [];

  private constructor(cluster: Cluster, certificates: Certificates | undefined) {
    this.cluster = cluster;
    this.#root = new Etcd3({
      hosts: [...cluster.endpoints],
      ...(certificates && {
        credentials: {
          rootCertificate: Buffer.from(certificates.authority.cert),
          privateKey: Buffer.from(certificates.client.key),
          certChain: Buffer.from(certificates.client.cert),
        },
      }),
      auth: { username: 'root', password: rootPassword },
    });
  }

  /** Users and roles, as root. */
  get admin(): Auth {
    return this.#root.auth;
  }

  static async start({ flags = [], ...options }: ClusterOptions = {}): Promise<Secured> {
    const cluster = await Cluster.start({ rootPassword, flags: [cheapHashes, ...flags], ...options });
    return new Secured(cluster, options.certificates);
  }

  /** A user whose name is its password, with a role of that name. */
  async user(name: string, { readwrite = [], read = [] }: Permissions): Promise<void> {
    const auth = this.admin;
    await auth.userAdd({ name, password: name });
    await auth.roleAdd({ name });
    for (const prefix of readwrite) await this.grant(name, 'Readwrite', prefix);
    for (const prefix of read) await this.grant(name, 'Read', prefix);
    await auth.userGrantRole({ user: name, role: name });
  }

  /** Lets a role do this below a prefix; without a "/" at its end it is a single key. */
  async grant(role: string, permType: 'Read' | 'Readwrite', prefix: string): Promise<void> {
    const perm = { permType, ...rangeOf(prefix) } as Parameters<Auth['roleGrantPermission']>[0]['perm'];
    await this.admin.roleGrantPermission({ name: role, ...(perm && { perm }) });
  }

  async withdraw(role: string, prefix: string): Promise<void> {
    await this.admin.roleRevokePermission({ role, ...rangeOf(prefix) });
  }

  async connect(options: ConnectOptions = {}): Promise<Conclave> {
    return this.own(await connect({ endpoints: this.cluster.endpoints, ...options }));
  }

  /** After `etcdctl auth disable`. */
  async enable(): Promise<void> {
    await this.cluster.etcdctl('auth', 'enable', '--user=');
  }

  /** Is closed with the rest. */
  own(conclave: Conclave): Conclave {
    this.#clients.push(conclave);
    return conclave;
  }

  /** With its password, in the namespace of its name unless said otherwise. */
  async as(username: string, options: ConnectOptions = {}): Promise<Conclave> {
    return this.connect({ namespace: username, username, password: username, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close({ drainTimeoutMs: 0 })));
    this.#root.close();
    await this.cluster.dispose();
  }
}

function rangeOf(prefix: string): { key: Buffer; range_end: Buffer } {
  const end = prefix.endsWith('/') ? `${prefix.slice(0, -1)}0` : '';
  return { key: Buffer.from(prefix), range_end: Buffer.from(end) };
}
