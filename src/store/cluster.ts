import type { AdminCaller } from './admin-caller.js';
import type { ClusterMember } from './admin-calls.js';
import { checkId } from './admin-checks.js';
import type { CallOptions } from './caller.js';
import { type SyncedEndpoints, syncEndpoints } from './cluster-sync.js';
import type { Endpoints } from './endpoints.js';
import type { Header } from './results.js';

export interface MemberListOptions extends CallOptions {
  /**
   * Asks the cluster, so that the list is not older than the call. Otherwise one member says what it knows, also while it
   * knows no leader. etcd before 3.5 always does the latter. @default true
   */
  readonly linearizable?: boolean | undefined;
}

export interface AddMemberOptions extends CallOptions {
  /** Adds it without a vote: safe at any time, and `promote` gives it one once it has caught up. @default false */
  readonly isLearner?: boolean | undefined;
}

/** All members after a change. In all answers about members etcd leaves the header's revision 0n. */
export interface MembersResult {
  readonly header: Header;
  readonly members: readonly ClusterMember[];
}

/**
 * The members of the cluster, on an etcd.
 *
 * A change ends like every mutation of the store: done, not done, or unknown (`OutcomeUnknownError`: look at `list`).
 * Change one member at a time, and wait until it has come up: with a member that is down, a second change can cost the
 * majority. etcd refuses what it sees would (`UnavailableError`, `InvalidRequestError`).
 *
 * With authentication enabled recent releases of etcd want the role `root` for changes.
 *
 * @throws (every method) UnsupportedError on the embedded engine, before anything else; TypeError or RangeError for bad
 * arguments, before any I/O; AuthError; UnavailableError after `timeoutMs` (`dialTimeoutMs` if not given); ClosedError
 */
export class Cluster {
  readonly #caller: AdminCaller;
  readonly #endpoints: Endpoints;

  constructor(caller: AdminCaller, endpoints: Endpoints) {
    this.#caller = caller;
    this.#endpoints = endpoints;
  }

  /** All members, learners and those that were added but have not started among them. */
  async list(options: MemberListOptions = {}): Promise<MembersResult> {
    return this.#caller.call('memberList', {
      what: 'cluster.list',
      request: () => ({ linearizable: options.linearizable ?? true }),
      options,
      own: ['linearizable'],
    });
  }

  /**
   * Tells the cluster of a new member, which has to be started then (`--initial-cluster-state=existing`).
   *
   * @param peerUrls where the others will reach it: `http://host:port`, at least one
   * @throws AlreadyExistsError if a member has one of these addresses; InvalidRequestError if etcd refuses, for example a
   * second learner
   */
  async add(
    peerUrls: readonly string[],
    options: AddMemberOptions = {},
  ): Promise<MembersResult & { readonly member: ClusterMember }> {
    return this.#caller.call('memberAdd', {
      what: 'cluster.add',
      request: () => ({ peerUrls: checkUrls(peerUrls), isLearner: options.isLearner ?? false }),
      options,
      own: ['isLearner'],
    });
  }

  /**
   * Gives a learner its vote.
   *
   * @throws InvalidRequestError if it has not caught up yet (try again later), or is no learner; NotFoundError
   */
  async promote(id: bigint, options?: CallOptions): Promise<MembersResult> {
    const request = (): { id: bigint } => ({ id: checkId(id, 'id') });
    return this.#caller.call('memberPromote', { what: 'cluster.promote', request, options });
  }

  /**
   * Changes where the others reach a member. Promote a learner first: etcd 3.4 lists one that was moved as a voter.
   *
   * @throws NotFoundError; AlreadyExistsError if another has one of these addresses
   */
  async update(id: bigint, peerUrls: readonly string[], options?: CallOptions): Promise<MembersResult> {
    return this.#caller.call('memberUpdate', {
      what: 'cluster.update',
      request: () => ({ id: checkId(id, 'id'), peerUrls: checkUrls(peerUrls) }),
      options,
    });
  }

  /** For good: a removed member ends, and never comes back with its data. @throws NotFoundError */
  async remove(id: bigint, options?: CallOptions): Promise<MembersResult> {
    const request = (): { id: bigint } => ({ id: checkId(id, 'id') });
    return this.#caller.call('memberRemove', { what: 'cluster.remove', request, options });
  }

  /**
   * Replaces the endpoints in use by the addresses which the members advertise to clients (`client.Sync` in Go): those of
   * members with a vote that have started. What is open on another endpoint stays there until it ends.
   *
   * What cannot be used is left out and listed in `ignored`. Unless one of the others answers, nothing changes: many
   * clusters advertise addresses that mean something only to themselves (`localhost`, those of a container). If all
   * members advertise `localhost`, only the one on this machine is left in use: then do not call this.
   *
   * Happens once, when it is called: for a cluster whose members change, call it from time to time.
   */
  async sync(options?: CallOptions): Promise<SyncedEndpoints> {
    const list = (): Promise<MembersResult> =>
      this.#caller.call('memberList', {
        what: 'cluster.sync',
        request: () => ({ linearizable: true }),
        options,
      });
    return syncEndpoints(this.#caller, this.#endpoints, await list(), options);
  }
}

const url = /^https?:\/\/(?:\[[\da-fA-F:.]+\]|[^\s/:,@?#[\]]+):\d{1,5}$/;

function checkUrls(peerUrls: readonly string[]): readonly string[] {
  if (!Array.isArray(peerUrls) || peerUrls.length === 0)
    throw new TypeError('peerUrls must be an array of at least one address');
  for (const each of peerUrls as readonly unknown[])
    if (typeof each !== 'string' || !url.test(each))
      throw new TypeError(`a peer URL must be http(s)://host:port, not ${JSON.stringify(each)}`);
  return [...(peerUrls as readonly string[])];
}
