import { toBytes, toText } from '../base/bytes.js';
import { isConclaveError, NotFoundError } from '../base/errors.js';
import { retry } from '../store/retry.js';
import type { Connection } from '../session/connection.js';
import { demand } from '../session/demand.js';
import { Line } from '../session/line.js';
import { noOlderTicket } from '../session/rules.js';
import type { Session } from '../session/session.js';
import { kvsOf, Ticket } from '../session/ticket.js';
import { sendWithinQuota } from '../session/within-quota.js';
import {
  compare,
  type Compare,
  get,
  put,
  remove,
  type RemoveOp,
  txn,
  type TxnOp,
} from '../store/operations.js';
import type { KeyValue, OpResult } from '../store/results.js';
import { encode, type JobRecord } from './job.js';
import type { QueueLayout } from './layout.js';
import type { WaitingJob } from './search.js';

/** A job that this session has taken: nobody else can take it until its claim is gone. */
export interface Claimed {
  readonly id: string;
  /** Its create revision is the fencing token of the delivery. */
  readonly ticket: Ticket;
  /** undefined if somebody has deleted it. */
  readonly body: KeyValue | undefined;
  readonly record: JobRecord;
  readonly priority: number;
}

export interface ClaimRequest {
  readonly session: Session;
  readonly layout: QueueLayout;
  /** In the order in which they are to be taken, from one look at the queue. */
  readonly jobs: readonly WaitingJob[];
  /** How many to take; the jobs beyond that are for when others are quicker. */
  readonly count: number;
  /** What else has to hold. */
  readonly if: readonly Compare[];
  /** What to remove if any is taken. */
  readonly leaving: readonly RemoveOp[];
}

/** How many are tried in the place of a job that somebody else has taken. */
const alternatives = 8;

/**
 * Takes jobs, in one transaction: each that still waits where it was seen, and if one is wanted, the first of them. Jobs
 * are taken as a prefix of what one look has shown, so of two that were put one after the other, the first is taken first.
 *
 * An answer that is lost is settled before this returns: what it was about is in the result, or nobody's.
 *
 * @returns none if others were quicker, or if the conditions did not hold
 * @throws SessionLostError; UnavailableError, nothing was taken
 */
export async function claim(connection: Connection, request: ClaimRequest): Promise<readonly Claimed[]> {
  const { session, layout, count } = request;
  const jobs = request.jobs.slice(0, count === 1 ? alternatives : count);
  const claims = jobs.map((job) => {
    const title = `job ${JSON.stringify(job.id)} of ${layout.title}`;
    return { job, title, key: layout.claimsOf(job.id) + session.nextTicketName(title) };
  });
  const taken = new Map<string, Claimed>();
  try {
    const found = await retry(session.options.runtime, () => claimOnce(request, claims), {
      maxDelayMs: 500,
      again: (error) => error === tryAgain,
    });
    for (const { key, ...seen } of found) {
      const of = claims.find((each) => each.key === key);
      if (of)
        taken.set(key, {
          id: of.job.id,
          record: of.job.record,
          priority: of.job.lane.priority,
          body: seen.body,
          ticket: ticketOf(connection, session, of, seen),
        });
    }
    return [...taken.values()];
  } finally {
    for (const { key } of claims) if (!taken.has(key)) session.news.end(key);
  }
}

interface Claim {
  readonly job: WaitingJob;
  readonly title: string;
  readonly key: string;
}

interface SeenClaim {
  readonly key: string;
  readonly claim: KeyValue;
  readonly body: KeyValue | undefined;
}

/** Thrown to try again at once: the epoch had moved on, or the request is proved dead. */
const tryAgain = new Error('try again');

async function claimOnce(request: ClaimRequest, claims: readonly Claim[]): Promise<readonly SeenClaim[]> {
  const { session, layout } = request;
  session.assertAlive();
  session.options.runtime.probe('queue.claim');
  const epoch = session.epoch.guard();
  const takes = claims.map((each) => take(request, each));
  const parts = request.count === 1 ? [firstOf(takes)] : takes;
  try {
    const { succeeded, responses, revision } = await sendWithinQuota(
      session,
      txn({
        if: [epoch, ...request.if],
        then: parts,
        else: [get(session.key), ...claims.map((each) => ifTaken(layout, each))],
      }),
    );
    session.options.runtime.probe('queue.claimed');
    if (succeeded && request.count === 1) return takenIn(responses[0], claims, revision);
    if (succeeded) return claims.flatMap((each, i) => takenIn(responses[i], [each], revision));
    const [looked, ...before] = responses;
    const [self] = looked ? kvsOf([looked]) : [];
    if (!session.epoch.learn(self)) throw session.signal.reason;
    if (self?.modRevision === epoch.operand) return claims.flatMap((each, i) => takenBefore(before[i], each));
  } catch (error) {
    if (error instanceof NotFoundError) session.gone();
    session.assertAlive();
    if (!isConclaveError(error, 'OUTCOME_UNKNOWN')) throw error;
    return settle(session, layout, claims);
  }
  throw tryAgain;
}

/** Takes one job if it still waits where it was seen. */
function take({ session, layout, leaving }: ClaimRequest, { job, key }: Claim): TxnOp {
  const { holder, runtime } = session.options;
  const since = runtime.wallNow();
  return txn({
    if: [compare.modRevision(job.key, '=', job.modRevision)],
    then: [
      remove(job.key),
      put(layout.activeOf(job.id), encode({ ...job.record, holder, since })),
      put(key, jobDemand.ticketValue(session), { lease: session.leaseId }),
      get(layout.job(job.id)),
      ...leaving,
    ],
    else: [ifTaken(layout, { job, key })],
  });
}

/** Shows what a copy of the same request has taken that came before: what the network doubles is answered twice. */
function ifTaken(layout: QueueLayout, { job, key }: Pick<Claim, 'job' | 'key'>): TxnOp {
  return txn({
    if: [compare.createRevision(key, '>', 0n)],
    then: [get(key), get(layout.job(job.id))],
  });
}

/** The first that can be taken, and no other. */
function firstOf(takes: readonly TxnOp[]): TxnOp {
  return takes.reduceRight((next, take) => ({
    ...take,
    else: take.else.map((before) => (before.kind === 'txn' ? { ...before, else: [next] } : before)),
  }));
}

/** What a take has taken; or the next, if it is one of several of which the first is wanted. */
function takenIn(
  response: OpResult | undefined,
  [claim, ...others]: readonly Claim[],
  revision: bigint,
): readonly SeenClaim[] {
  if (response?.kind !== 'txn' || !claim) return [];
  const { succeeded, responses } = response;
  if (succeeded) return [{ key: claim.key, claim: putAt(claim.key, revision), body: kvsOf(responses)[0] }];
  const [before] = responses;
  if (before?.kind !== 'txn' || before.succeeded) return takenBefore(before, claim);
  return takenIn(before.responses[0], others, revision);
}

/** @param response to `ifTaken` */
function takenBefore(response: OpResult | undefined, { key }: Claim): readonly SeenClaim[] {
  if (response?.kind !== 'txn' || !response.succeeded) return [];
  const [claim, body] = kvsOf(response.responses);
  return claim ? [{ key, claim, body }] : [];
}

/**
 * The answer is lost. Nobody else removes a claim whose session lives: after the fence, what stands is what was taken.
 *
 * While the store is over its quota this waits until there is space: meanwhile what was taken, if it was, is not lost.
 */
async function settle(
  session: Session,
  layout: QueueLayout,
  claims: readonly Claim[],
): Promise<readonly SeenClaim[]> {
  const reads = claims.flatMap(({ key, job }) => [get(key), get(layout.job(job.id))]);
  const { results } = await session.epoch.fenceThenLook(reads);
  return claims.flatMap(({ key }, i) => {
    const claim = results[2 * i]?.kvs[0];
    return claim ? [{ key, claim, body: results[2 * i + 1]?.kvs[0] }] : [];
  });
}

/** A claim is a ticket that stands alone: there is at most one per job. */
const jobDemand = demand(noOlderTicket);

function ticketOf(
  { views }: Connection,
  session: Session,
  { title, key }: Claim,
  { claim }: Pick<SeenClaim, 'claim'>,
): Ticket {
  const line = new Line({ prefix: key.slice(0, key.lastIndexOf('/') + 1), title });
  const seen = {
    revision: claim.modRevision,
    results: [{ kind: 'get' as const, kvs: [claim], more: false, count: 1 }],
  };
  const ticket = Ticket.among(seen, { lines: [line], title, session, demand: jobDemand, views }, [key]);
  if (!ticket) throw new TypeError(`${toText(claim.key)} is no claim`);
  return ticket;
}

/** What a transaction has put, as its answer tells. */
function putAt(key: string, revision: bigint): KeyValue {
  return {
    key: toBytes(key),
    value: new Uint8Array(),
    createRevision: revision,
    modRevision: revision,
    version: 1n,
    lease: 0n,
  };
}
