import { Conclave } from '../conclave.js';
import type { Engine } from '../memory/engine.js';
import { get, prefix, put, remove } from '../store/operations.js';
import type { Peer } from './peer.js';
import { checkMs } from './delay.js';
import type { Lag, Route } from './route.js';
import type { Trace } from './trace.js';

/** Whom a fault hits: a client, or a process without one. */
export type Party = Conclave | Peer;

export interface StoreFaultsParts {
  readonly engine: Engine;
  readonly endpoints: readonly string[];
  readonly trace: Trace;
}

/** What can go wrong with the store, and with the leases in it. */
export abstract class StoreFaults {
  /** The store itself. */
  readonly engine: Engine;
  readonly endpoints: readonly string[];
  protected readonly trace: Trace;
  protected readonly peers: Peer[] = [];
  protected readonly clients: Map<Conclave, Peer> = new Map();
  readonly #silent = new Set<string>();
  readonly #lags = new Map<string, Lag>();

  constructor({ engine, endpoints, trace }: StoreFaultsParts) {
    this.engine = engine;
    this.endpoints = endpoints;
    this.trace = trace;
  }

  /** A member stops, as by SIGSTOP: it takes everything and says nothing. Undone by `wake`. */
  silence(endpoint: string): void {
    for (const route of this.#routesTo('silence', endpoint)) route.block('silent');
    this.#silent.add(endpoint);
  }

  wake(endpoint: string): void {
    this.#silent.delete(endpoint);
    for (const route of this.#routesTo('wake', endpoint)) route.unblock('silent');
  }

  /**
   * A member applies what the others have agreed on only `ms` later: its watches and answers are late by so much, and its
   * serializable reads show the past. Undone with 0.
   *
   * @throws RangeError unless `ms` is finite and 0 or more; TypeError if there is no such member
   * @param options `readsStale`: it answers every read from the past, as etcd did after a pause (issue 20418). @default false
   */
  lagMember(
    endpoint: string,
    ms: number,
    { readsStale = false }: { readonly readsStale?: boolean } = {},
  ): void {
    checkMs('a lag', ms);
    const lag = ms > 0 ? { ms, readsStale } : undefined;
    for (const route of this.#routesTo('lag', endpoint)) route.lag = lag;
    if (lag) this.#lags.set(endpoint, lag);
    else this.#lags.delete(endpoint);
  }

  /** Undoes what `silence` and `lagMember` have done, and a full store. */
  protected mendMembers(): void {
    this.engine.noSpace = false;
    for (const endpoint of this.#silent) this.wake(endpoint);
    for (const endpoint of this.#lags.keys()) this.lagMember(endpoint, 0);
  }

  /** A way that is new comes to the members as they are. */
  protected join(route: Route): void {
    if (this.#silent.has(route.endpoint)) route.block('silent');
    route.lag = this.#lags.get(route.endpoint);
  }

  /** A new leader is elected: the raft term rises, and every lease starts its time again. */
  leaderChange(): void {
    this.#disturbAll('leader change');
    this.engine.raftTerm += 1n;
    this.engine.extendLeases();
  }

  /**
   * The leases of its sessions end in the store, however recently they were renewed. It is not told, but by what it
   * watches; resolves once all who watch have heard.
   *
   * @throws Error if it has no session
   */
  async expireSession(client: Party): Promise<void> {
    const { namespace, transport } = this.disturb('expire session', client);
    const { kvs } = this.engine.execute('get', get(prefix(`${namespace}/session/`), { keysOnly: true }));
    const leases = new Set(kvs.map(({ lease }) => lease).filter((lease) => transport.leases.has(lease)));
    if (leases.size === 0) throw new Error('this client has no session: nothing would expire');
    for (const lease of leases) this.engine.expireLease(lease);
    await this.settle();
  }

  abstract settle(): Promise<void>;

  /**
   * A leader that has been replaced without noticing revokes leases which were renewed through the others: all that this
   * client has (etcd issue 15247).
   *
   * @throws Error if it has no lease
   */
  stalledLeaderRevokes(client: Party): void {
    const { transport } = this.disturb('stalled leader revokes', client);
    this.engine.raftTerm += 1n;
    const revoked = [...transport.leases].filter((lease) => this.engine.expireLease(lease));
    if (revoked.length === 0) throw new Error('this client has no lease: nothing would be revoked');
  }

  /** Compacts at the present revision, which it returns. */
  compact(): bigint {
    this.trace.add('compact');
    const { revision } = this.engine.execute('status', {}).header;
    this.engine.execute('compact', { revision, physical: true });
    return revision;
  }

  /** The client's watches break, and cannot be resumed: what they missed has been compacted away. */
  compactUnderWatches(client: Party): bigint {
    this.disturb('break', client).transport.breakStreams('watch');
    const key = '\0compacted'; // outside every namespace, and before every key of text
    const { noSpace } = this.engine;
    this.engine.noSpace = false;
    this.engine.execute('put', put(key, ''));
    this.engine.execute('remove', remove(key));
    this.engine.noSpace = noSpace;
    return this.compact();
  }

  /** @throws TypeError if it is not of this world */
  protected peerOf(client: Party): Peer {
    const peer = client instanceof Conclave ? this.clients.get(client) : client;
    if (peer === undefined || !this.peers.includes(peer)) throw new TypeError('not a client of this world');
    return peer;
  }

  protected disturb(what: string, client: Party): Peer {
    const peer = this.peerOf(client);
    this.trace.add(what, peer.name);
    peer.isDisturbed = true;
    return peer;
  }

  #disturbAll(what: string): void {
    this.trace.add(what);
    for (const peer of this.peers) peer.isDisturbed = true;
  }

  #routesTo(what: string, endpoint: string): readonly Route[] {
    if (!this.endpoints.includes(endpoint)) throw new TypeError(`this world has no member ${endpoint}`);
    this.#disturbAll(`${what} ${endpoint}`);
    return this.peers.flatMap((peer) => routes(peer, endpoint));
  }
}

/** Its ways to one member, or to all. */
export function routes({ transport }: Peer, endpoint?: string): readonly Route[] {
  const chosen = transport.routes.filter((route) => endpoint === undefined || route.endpoint === endpoint);
  if (chosen.length === 0) throw new TypeError(`this world has no member ${endpoint}`);
  return chosen;
}
