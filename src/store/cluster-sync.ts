import type { AdminCaller } from './admin-caller.js';
import type { ClusterMember } from './admin-calls.js';
import type { CallOptions } from './caller.js';
import type { Endpoints } from './endpoints.js';
import type { Header } from './results.js';
import type { AdminTransport } from './transport.js';

/**
 * Why an advertised address is not used:
 *
 * - `unusable`: not `http(s)://host:port`, or plain text where certificates are given
 * - `other-scheme`: `http` where `https` is in use, or the reverse
 * - `other-cluster`: a member of another cluster answers there
 * - `no-answer`: nobody answers there, nor at any other address: nothing was changed
 */
export type IgnoredReason = 'unusable' | 'other-scheme' | 'other-cluster' | 'no-answer';

export interface IgnoredEndpoint {
  readonly endpoint: string;
  readonly reason: IgnoredReason;
}

export interface SyncedEndpoints {
  readonly header: Header;
  readonly members: readonly ClusterMember[];
  /** In use from now on. Among them may be some that did not answer just now. */
  readonly endpoints: readonly string[];
  readonly ignored: readonly IgnoredEndpoint[];
}

/** How long an address has to show that somebody is there. */
const probeMs = 2_000;

type Verdict = 'answers' | 'silent' | 'unusable' | 'other-scheme' | 'other-cluster';

/** Replaces `endpoints` by what the members advertise, as far as that can be used. */
export async function syncEndpoints(
  caller: AdminCaller,
  endpoints: Endpoints,
  { header, members }: Pick<SyncedEndpoints, 'header' | 'members'>,
  options: CallOptions = {},
): Promise<SyncedEndpoints> {
  const admin = caller.transport('cluster.sync');
  const schemes = new Set(endpoints.all.map(schemeOf));
  const judge = async (endpoint: string): Promise<Verdict> => {
    if (!canAdmit(admin, endpoint)) return 'unusable';
    if (!schemes.has(schemeOf(endpoint))) return 'other-scheme';
    const timeoutMs = Math.min(probeMs, options.timeoutMs ?? Infinity);
    const probe = { what: 'cluster.sync', request: () => ({}), options: { ...options, endpoint, timeoutMs } };
    return caller.ask(admin, 'memberStatus', probe).then(
      (status) => (status.header.clusterId === header.clusterId ? 'answers' : 'other-cluster'),
      () => 'silent',
    );
  };
  const judged = await Promise.all(
    advertised(members).map(async (endpoint) => ({ endpoint, verdict: await judge(endpoint) })),
  );
  options.signal?.throwIfAborted();
  const isReachable = judged.some(({ verdict }) => verdict === 'answers');
  const usable = judged.filter(({ verdict }) => verdict === 'answers' || verdict === 'silent');
  if (isReachable) endpoints.replace(usable.map(({ endpoint }) => endpoint));
  const ignored = judged.flatMap(({ endpoint, verdict }): IgnoredEndpoint[] => {
    if (verdict === 'answers') return [];
    if (verdict !== 'silent') return [{ endpoint, reason: verdict }];
    return isReachable ? [] : [{ endpoint, reason: 'no-answer' }];
  });
  return { header, members, endpoints: endpoints.all, ignored };
}

/** Without a name a member has not started, and its addresses are not its own; a learner refuses nearly everything. */
function advertised(members: readonly ClusterMember[]): readonly string[] {
  const voting = members.filter(({ name, isLearner }) => name !== '' && !isLearner);
  return [...new Set(voting.flatMap(({ clientUrls }) => clientUrls))];
}

function canAdmit(admin: AdminTransport, endpoint: string): boolean {
  try {
    admin.admit(endpoint);
    return true;
  } catch {
    return false;
  }
}

function schemeOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.indexOf(':'));
}
