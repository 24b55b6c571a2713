import { numberOf, textOf } from '../facts.js';
import type { Life } from '../lives.js';
import type { Operation, Violation } from '../record.js';
import { type Claim, type Job, jobsOf } from './jobs.js';

export interface QueueEvidence {
  readonly namespace: string;
  /** Its name. */
  readonly queue: string;
  /** Those on this queue alone. */
  readonly operations: readonly Operation[];
  readonly lives: readonly Life[];
  /** At the end nothing may be left. */
  readonly isDrained?: boolean;
}

/**
 * I5: what becomes of the jobs of a queue.
 *
 * - What was confirmed to be enqueued is in the store, and goes only when a worker has acknowledged it (or it was cancelled, or is
 *   a dead letter).
 * - Nothing is delivered that nobody has enqueued; a delivery is a claim that the store knows, and each goes to one.
 * - A job is acknowledged once, and whoever is told so has done it.
 * - It is claimed by one at a time, and again only after its claim was given back, its session was lost, an acknowledgement
 *   was not answered, or nobody was told of the delivery.
 */
export function judgeDelivery({ namespace, queue, operations, lives, ...how }: QueueEvidence): Violation[] {
  const jobs = jobsOf(lives, namespace, queue);
  const told = group(operations);
  const complaints: string[] = [];
  for (const id of new Set([...jobs.keys(), ...told.keys()])) {
    const job = jobs.get(id) ?? { id, bodies: [], claims: [], dead: [] };
    const calls = told.get(id) ?? nothing;
    complaints.push(
      ...wrongWithEnqueue(job, calls),
      ...wrongWithDeliveries(job, calls),
      ...wrongWithAcks(job, calls),
      ...wrongWithClaims(job, calls),
    );
    if (how.isDrained && job.bodies.some(({ deleteRevision }) => deleteRevision === Infinity))
      complaints.push(`${id} is left over`);
  }
  return complaints.map((what) => ({ rule: 'I5', what }));
}

/** The calls about one job. */
interface Calls {
  readonly enqueues: readonly Operation[];
  readonly receives: readonly Operation[];
  readonly acks: readonly Operation[];
  /** `nack`, `cancel`. */
  readonly others: readonly Operation[];
}

const nothing: Calls = { enqueues: [], receives: [], acks: [], others: [] };

function group(operations: readonly Operation[]): Map<string, Calls> {
  const groups = new Map<string, Record<keyof Calls, Operation[]>>();
  for (const operation of operations) {
    const id = textOf(operation.call === 'receive' ? operation.output : operation.input, 'id');
    if (id === '') continue;
    const calls = groups.get(id) ?? { enqueues: [], receives: [], acks: [], others: [] };
    groups.set(id, calls);
    if (operation.call === 'enqueue') calls.enqueues.push(operation);
    else if (operation.call === 'receive') calls.receives.push(operation);
    else if (operation.call === 'ack') calls.acks.push(operation);
    else calls.others.push(operation);
  }
  return groups;
}

function* wrongWithEnqueue({ id, bodies }: Job, { enqueues }: Calls): Generator<string> {
  const made = enqueues.filter(
    ({ outcome, output }) => outcome === 'ok' && output['created'] !== false,
  ).length;
  const maybe = enqueues.filter(({ outcome }) => outcome === 'unknown').length;
  const isKnown = enqueues.some(({ outcome }) => outcome === 'ok');
  if (enqueues.length === 0) yield `nobody has enqueued ${id}`;
  else if (bodies.length < made || (isKnown && bodies.length === 0))
    yield `${id} was enqueued, and is not stored`;
  else if (bodies.length > made + maybe)
    yield `${id} was stored ${bodies.length} times, with ${made} calls that did so and ${maybe} that may have`;
}

function* wrongWithDeliveries({ id, claims }: Job, { receives }: Calls): Generator<string> {
  const seen = new Set<number>();
  for (const { client, output } of receives) {
    const token = numberOf(output, 'token');
    if (seen.has(token)) yield `${id} was delivered twice under token ${token}`;
    if (!claims.some((claim) => claim.token === token))
      yield `${id} was delivered to ${client} under token ${token}, which is no claim`;
    seen.add(token);
  }
}

function* wrongWithAcks({ id, bodies, claims, dead }: Job, { acks, others }: Calls): Generator<string> {
  const confirmed = acks
    .filter(({ outcome }) => outcome === 'ok')
    .map(({ input }) => numberOf(input, 'token'));
  if (confirmed.length > Math.max(1, bodies.length)) yield `${id} was acknowledged ${confirmed.length} times`;
  for (const token of confirmed) {
    if (!claims.some((claim) => claim.token === token && claim.hasEndedJob))
      yield `${id} was acknowledged under token ${token}, which has not done it`;
  }
  const tried = new Set(
    acks.filter(({ outcome }) => outcome !== 'no').map(({ input }) => numberOf(input, 'token')),
  );
  for (const { deleteRevision } of bodies) {
    if (deleteRevision === Infinity || others.some(({ call }) => call === 'cancel')) continue;
    const isDone = claims.some(
      ({ life, token }) => life.deleteRevision === deleteRevision && tried.has(token),
    );
    if (!isDone && !dead.some(({ createRevision }) => createRevision === deleteRevision))
      yield `${id} went at revision ${deleteRevision}, and nobody has done it`;
  }
}

function* wrongWithClaims({ id, claims }: Job, calls: Calls): Generator<string> {
  for (const [i, next] of claims.entries()) {
    const claim = claims[i - 1];
    if (!claim) continue;
    const tokens = `${claim.token} and ${next.token}`;
    if (next.token < claim.life.deleteRevision) yield `${id} was claimed by two: ${tokens}`;
    else if (!claim.hasEndedJob && !hadReason(claim, next, calls))
      yield `${id} was claimed again for nothing: ${tokens}`;
  }
}

function hadReason(claim: Claim, next: Claim, { receives, acks, others }: Calls): boolean {
  const isOf = ({ input }: Operation): boolean => numberOf(input, 'token') === claim.token;
  return (
    claim.sessionEnd <= next.token ||
    !receives.some(({ output }) => numberOf(output, 'token') === claim.token) ||
    others.some((each) => each.outcome !== 'no' && isOf(each)) ||
    acks.some((each) => each.outcome !== 'ok' && isOf(each))
  );
}
