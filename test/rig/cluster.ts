import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import type { Certificates } from './certificates.js';
import { type EtcdVersion, programOf } from './etcd-version.js';
import { Member } from './member.js';
import { freePorts } from './ports.js';

const run = promisify(execFile);

export interface ClusterOptions {
  /** @default 1 */
  readonly members?: 1 | 3;
  /** @default the installed one */
  readonly version?: EtcdVersion;
  /** Further flags for every member, e.g. `--auth-token-ttl=4`. */
  readonly flags?: readonly string[];
  /** Clients speak TLS, with the server certificate of this set. @default plain text */
  readonly certificates?: Certificates;
  /** With `certificates`: clients must show a certificate of the same authority. @default false */
  readonly clientCertificates?: boolean;
  /** Enables auth once the cluster is up, with a user `root` of this password. @default no auth */
  readonly rootPassword?: string;
  /** Disks are written as in production, for faults of disks to have an effect. @default false */
  readonly fsync?: boolean;
  /** What the command of each member begins with, if they do not live elsewhere. */
  readonly enter?: readonly (readonly string[])[];
  /** Members live elsewhere than on free loopback ports. */
  readonly housing?: Housing;
}

/** Where the members of a cluster live, each list in their order. */
export interface Housing {
  /** Where clients and peers find them, at ports 2379 and 2380. */
  readonly hosts: readonly string[];
  /** What a command begins with to be run there. */
  readonly enter: readonly (readonly string[])[];
  /** Where this process finds them. */
  readonly endpoints: readonly string[];
}

/** A real etcd cluster on free loopback ports, in a directory of its own; unless said otherwise without fsync. */
export class Cluster implements AsyncDisposable {
  /** Client addresses in the order of the members. */
  readonly endpoints: readonly string[];
  readonly #options: ClusterOptions;
  readonly #directory: string;
  readonly #members: readonly Member[];
  readonly #onExit = (): void => this.#disposeNow();
  #root: string | undefined;

  private constructor(options: ClusterOptions, directory: string, ports: readonly number[]) {
    const { members = 1, version = 'installed', certificates, housing, fsync = false } = options;
    const scheme = certificates ? 'https' : 'http';
    const names = Array.from({ length: members }, (_, i) => `m${i}`);
    const clientPorts = ports.slice(0, members).map((port) => `127.0.0.1:${port}`);
    const peerPorts = ports.slice(members).map((port) => `127.0.0.1:${port}`);
    const clients = (housing?.hosts.map((host) => `${host}:2379`) ?? clientPorts).map(
      (address) => `${scheme}://${address}`,
    );
    const peers = (housing?.hosts.map((host) => `${host}:2380`) ?? peerPorts).map(
      (address) => `http://${address}`,
    );
    const initial = names.map((name, i) => `${name}=${peers[i]!}`).join(',');
    this.#options = options;
    this.#directory = directory;
    this.endpoints = housing?.endpoints ?? clients;
    this.#members = names.map((name, i) => {
      const client = clients[i]!;
      const peer = peers[i]!;
      const flags = [
        `--name=${name}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=${initial}`,
        ...(fsync ? [] : ['--unsafe-no-fsync']),
        '--logger=zap',
        '--log-level=error',
        ...tlsFlags(options),
        ...(options.flags ?? []),
      ];
      return new Member(programOf(version), join(directory, name), flags, (housing ?? options).enter?.[i]);
    });
    process.once('exit', this.#onExit);
  }

  /** Resolves when every member serves linearizable reads. A port lost to somebody else is tried again elsewhere. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    for (let attempt = 1; ; attempt++) {
      const ports = options.housing ? [] : await freePorts((options.members ?? 1) * 2);
      const cluster = new Cluster(options, mkdtempSync(join(tmpdir(), 'conclave-etcd-')), ports);
      try {
        for (const member of cluster.#members) member.start();
        await cluster.healthy();
        if (options.rootPassword !== undefined) await cluster.#enableAuth(options.rootPassword);
        return cluster;
      } catch (error) {
        await cluster[Symbol.asyncDispose]();
        if (attempt === 3) throw error;
      }
    }
  }

  /** The process of a member, if it runs. */
  pid(member: number): number | undefined {
    return this.#member(member).pid;
  }

  /** The last output of each member. */
  get log(): string {
    return this.#members.map(({ log }, i) => `== m${i}\n${log}`).join('\n');
  }

  /** What members said that ended by an error of their own. */
  get crashes(): string[] {
    return this.#members.flatMap(({ lastWords }, i) => lastWords.map((line) => `m${i}: ${line}`));
  }

  /** Where a member keeps its data. */
  directory(member: number): string {
    return this.#member(member).directory;
  }

  /** SIGKILL. Resolves when the process is gone. */
  async kill(member: number): Promise<void> {
    await this.#member(member).kill();
  }

  /** SIGSTOP: the process lives, its sockets stay open, and nothing is answered. */
  stop(member: number): void {
    this.#member(member).signal('SIGSTOP');
  }

  /** SIGCONT: undoes `stop`. */
  cont(member: number): void {
    this.#member(member).signal('SIGCONT');
  }

  /** SIGTERM. Resolves when the member has ended in order. */
  async end(member: number): Promise<void> {
    const ended = this.#member(member);
    ended.signal('SIGTERM');
    await until('the member ends', 20_000, () => Promise.resolve(ended.running ? undefined : true));
  }

  /** Starts a member without its data, which the others take for a new one: see `replaceMember`. Resolves when it serves. */
  async startAnew(member: number): Promise<void> {
    await this.kill(member);
    rmSync(this.directory(member), { recursive: true, force: true });
    this.#member(member).start(['--initial-cluster-state=existing']);
    await this.healthy([member]);
  }

  /** Starts a killed member again, on its data and ports. Resolves when it serves. */
  async restart(member: number): Promise<void> {
    await this.kill(member);
    this.#member(member).start();
    await this.healthy([member]);
  }

  /** Ends a member in order, and starts another version of etcd on its data and ports. Resolves when it serves. */
  async upgrade(member: number, version: EtcdVersion): Promise<void> {
    await this.end(member);
    this.#member(member).replaceProgram(programOf(version));
    await this.restart(member);
  }

  /** SIGKILL for all of them at once, then a start of all on their data and ports. Resolves when they serve. */
  async restartAll(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()));
    for (const member of this.#members) member.start();
    await this.healthy();
  }

  /** The index of the member that all running members take for the leader. */
  async leader(timeoutMs = 20_000): Promise<number> {
    return until('the members agree on a leader', timeoutMs, async () => {
      const running = this.endpoints.filter((_, i) => this.#member(i).running);
      const fields = await this.etcdctl(
        'endpoint',
        'status',
        '-w',
        'fields',
        `--endpoints=${running.join(',')}`,
      );
      const leaders = new Set(fieldsOf(fields, 'Leader'));
      const [leader] = leaders;
      if (leaders.size !== 1 || leader === undefined || leader === '0') return undefined;
      const endpoint = running[fieldsOf(fields, 'MemberID').indexOf(leader)];
      return endpoint === undefined ? undefined : this.endpoints.indexOf(endpoint);
    });
  }

  /** Waits until these members (all, if not said) answer a linearizable read. */
  async healthy(members: readonly number[] = this.endpoints.map((_, i) => i)): Promise<void> {
    const endpoints = members.map((i) => this.endpoints[i]).join(',');
    await until(`${endpoints} serve`, 20_000, async () => {
      const dead = members.find((i) => !this.#member(i).running);
      if (dead !== undefined) throw new Error(`etcd ended:\n${this.#member(dead).log}`);
      await this.etcdctl('endpoint', 'health', `--endpoints=${endpoints}`, '--command-timeout=2s');
      return true;
    });
  }

  /** Runs `etcdctl` against all members, as root if auth is enabled. Resolves with its output. */
  async etcdctl(...args: readonly string[]): Promise<string> {
    const { certificates } = this.#options;
    const tls = certificates && [
      `--cacert=${certificates.authority.certFile}`,
      `--cert=${certificates.client.certFile}`,
      `--key=${certificates.client.keyFile}`,
    ];
    const given = args.some((arg) => arg.startsWith('--endpoints'));
    const user = this.#root !== undefined && !args.some((arg) => arg.startsWith('--user'));
    const { stdout } = await run(
      'etcdctl',
      [
        ...args,
        ...(given ? [] : [`--endpoints=${this.endpoints.join(',')}`]),
        ...(user ? [`--user=root:${this.#root ?? ''}`] : []),
        ...(tls ?? []),
      ],
      { env: { ...process.env, ETCDCTL_API: '3' }, timeout: 30_000 },
    );
    return stdout;
  }

  /** Kills every member and removes their data. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    await Promise.all(this.#members.map((member) => member.kill()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The same, under the name `afterAll` callers like. */
  dispose(): Promise<void> {
    return this[Symbol.asyncDispose]();
  }

  async #enableAuth(password: string): Promise<void> {
    await this.etcdctl('user', 'add', `root:${password}`);
    await this.etcdctl('user', 'grant-role', 'root', 'root');
    await this.etcdctl('auth', 'enable');
    this.#root = password;
  }

  #member(index: number): Member {
    const member = this.#members[index];
    if (!member) throw new RangeError(`there is no member ${index}`);
    return member;
  }

  #disposeNow(): void {
    for (const member of this.#members) member.killNow();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function tlsFlags({ certificates, clientCertificates = false }: ClusterOptions): string[] {
  if (!certificates) return [];
  const flags = [`--cert-file=${certificates.server.certFile}`, `--key-file=${certificates.server.keyFile}`];
  // Only then: etcd demands certificates from clients as soon as it has an authority for them.
  return clientCertificates
    ? [...flags, `--trusted-ca-file=${certificates.authority.certFile}`, '--client-cert-auth']
    : flags;
}

/** The values of one field of `-w fields`, which keeps 64-bit numbers exact where JSON does not. */
function fieldsOf(output: string, name: string): string[] {
  return [...output.matchAll(new RegExp(`^"${name}" : (\\d+)$`, 'gm'))].map((match) => match[1] ?? '');
}

async function until<T>(what: string, timeoutMs: number, attempt: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      const result = await attempt();
      if (result !== undefined) return result;
    } catch (error) {
      last = error;
      if (error instanceof Error && error.message.startsWith('etcd ended')) throw error;
    }
    await delay(50);
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last });
}
