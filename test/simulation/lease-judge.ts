import type { Conclave } from '../../src/index.js';
import type { Session } from '../../src/session/session.js';
import type { Peer, World } from '../../src/testing/index.js';

/** Of rounding, and of a request on its way. */
const slackMs = 5;

/** What is not shown to users: what this process believes of its lease. */
interface Insight {
  readonly connection: { readonly openSession: Session | undefined };
}

/**
 * S3: a process trusts its lease no longer than the store will keep it, if no further renewal is answered.
 *
 * @param clockRate of the process
 * @returns what is wrong, if anything is
 */
export function overtrust(
  world: World,
  peer: Peer,
  conclave: Conclave,
  clockRate: number,
): string | undefined {
  const session = (conclave as unknown as Insight).connection.openSession;
  if (session === undefined || peer.activity !== 'running') return undefined;
  const leftMs = world.engine.leaseLeftMs(session.leaseId);
  const trustedMs = session.remainingMs / clockRate;
  // Of a lease that is gone others are the judges; what is in doubt is not trusted.
  if (leftMs === undefined || trustedMs <= leftMs + slackMs || !session.isValid()) return undefined;
  return `${peer.name} trusts its lease for ${trustedMs} ms, and the store keeps it for ${leftMs} ms`;
}
