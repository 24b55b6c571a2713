import { numberOf, textOf } from '../history/facts.js';
import { judgeDelivery } from '../history/invariants/delivery.js';
import { judgeErrors } from '../history/invariants/reasons.js';
import { livesOf } from '../history/lives.js';
import { operationsOf, type Operation, type Violation } from '../history/record.js';
import { grouped } from './grouped.js';
import { judgeOrder } from './jobs-order.js';
import { byTag, type StoredJob, storedJobs } from './stored-jobs.js';
import { isStruck } from './struck.js';
import type { Evidence } from './workload.js';

/** Which queue, and how it was made. */
export interface JobsOptions {
  readonly queue: string;
  readonly keepMs: number;
  readonly attempts?: number;
  readonly maxCrashes?: number;
}

/** What the judges of a queue look at. */
export interface JobsEvidence extends Evidence, Required<JobsOptions> {
  readonly operations: readonly Operation[];
  readonly jobs: readonly StoredJob[];
}

/** I5, I8, I9 for a queue at whose end everything was done that could be. */
export function judgeJobs(
  evidence: Evidence,
  { attempts = 3, maxCrashes = 3, ...options }: JobsOptions,
): Violation[] {
  const { entries, changes, namespace } = evidence;
  const { queue } = options;
  const jobs = storedJobs(changes, namespace, queue);
  const tags = byTag(jobs);
  const operations = operationsOf(entries)
    .filter(({ on }) => on === queue)
    .map((operation) => understood(operation, tags));
  const all: JobsEvidence = { ...evidence, ...options, attempts, maxCrashes, operations, jobs };
  const complaints = [...places(all), ...enqueues(all), ...deliveries(all), ...ends(all), ...leftOver(all)];
  return [
    ...judgeDelivery({ namespace, queue, operations, lives: livesOf(changes) }),
    ...complaints.map((what) => ({ rule: 'I5', what })),
    ...judgeOrder(all),
    ...judgeErrors(operations),
  ];
}

/** As it is to be understood. */
function understood(operation: Operation, tags: ReadonlyMap<string, readonly StoredJob[]>): Operation {
  const { call, input, output, error } = operation;
  // Tried again in the background until there is space.
  if (call === 'nack' && error === 'RESOURCE_EXHAUSTED') return { ...operation, outcome: 'unknown' };
  if (call !== 'enqueue') return operation;
  // A client that gave no id may not have been told which one its job has got.
  const tag = textOf(input, 'id');
  const id = textOf(output, 'id') || (tags.get(tag)?.[0]?.id ?? tag);
  return { ...operation, input: { ...input, id, tag } };
}

/** At each revision a job is at one place, and where it runs one worker has it, at most. */
function* places({ jobs }: JobsEvidence): Generator<string> {
  for (const { tag, body, places: all, claims } of jobs) {
    let free = body.createRevision;
    for (const { kind, life } of all) {
      if (life.createRevision !== free) yield `${tag} is nowhere or twice from revision ${free} on (${kind})`;
      free = life.deleteRevision;
      if (kind !== 'active') continue;
      const its = claims.filter(({ token }) => life.createRevision <= token && token < life.deleteRevision);
      if (its.length !== 1 || its[0]?.token !== life.createRevision)
        yield `${tag} has ${its.length} claims at revision ${life.createRevision}`;
      if (its.some((claim) => claim.life.deleteRevision > life.deleteRevision))
        yield `${tag} has a claim, and does not run, at revision ${life.deleteRevision}`;
    }
    if (free !== body.deleteRevision) yield `${tag} is nowhere from revision ${free} on`;
  }
}

/** What was put was wanted, and what was confirmed is there, once. */
function* enqueues({ jobs, operations, entries, keepMs, lagMs = 0 }: JobsEvidence): Generator<string> {
  const stored = byTag(jobs);
  const calls = grouped(
    operations.filter(({ call }) => call === 'enqueue'),
    ({ input }) => textOf(input, 'tag'),
  );
  for (const tag of stored.keys()) if (!calls.has(tag)) yield `${tag} is there, and nobody has put it`;
  for (const [tag, its] of calls) {
    const lives = stored.get(tag) ?? [];
    if (lives.length > 0 && its.every(({ outcome }) => outcome === 'no'))
      yield `${tag} was put, and its client was told that it was not`;
    const confirmed = its.filter(({ outcome }) => outcome === 'ok');
    for (const { output, returnedAt } of confirmed)
      if (!lives.some(({ id, body }) => id === textOf(output, 'id') && body.createdAt <= returnedAt + lagMs))
        yield `${tag} was confirmed, and is not there`;
    const created = confirmed.filter(({ output }) => output['created'] === true).length;
    if (created > lives.length) yield `${tag} was created ${created} times, and put ${lives.length} times`;
    if (lives.length < 2) continue;
    if (its.some(({ input }) => input['idempotent'] === false)) yield `${tag} was put ${lives.length} times`;
    // Leases that end early, and a store that is full, may forget sooner.
    if (isStruck(entries, 'expire', 'sudden expire', 'noSpace')) continue;
    for (const [i, { body }] of lives.entries()) {
      const before = lives[i - 1]?.body.deletedAt ?? -Infinity;
      if (body.createdAt < before + keepMs - lagMs)
        yield `${tag} was put again ${body.createdAt - before} ms after its end`;
    }
  }
}

/** A delivery is what is stored, and counts the attempts before it. */
function* deliveries({ jobs, operations, lagMs = 0 }: JobsEvidence): Generator<string> {
  const lives = grouped(jobs, ({ id }) => id);
  const failed = new Set(
    operations
      .filter(({ call, input }) => call === 'nack' && input['how'] !== 'return')
      .map(({ input }) => `${textOf(input, 'id')} ${numberOf(input, 'token')}`),
  );
  for (const { call, client, output, invokedAt, returnedAt } of operations) {
    if (call !== 'receive' || output['id'] === undefined) continue;
    const [id, token, attempt] = [
      textOf(output, 'id'),
      numberOf(output, 'token'),
      numberOf(output, 'attempt'),
    ];
    const job = lives.get(id)?.find(({ claims }) => claims.some((claim) => claim.token === token));
    if (!job) continue; // judgeDelivery says so
    const what = `${job.tag} (token ${token}, to ${client} at ${returnedAt})`;
    if (job.tag !== textOf(output, 'tag')) yield `${what} was delivered as ${textOf(output, 'tag')}`;
    const before = job.claims.filter((claim) => claim.token < token);
    const counted = before.filter(({ end, token: its }) => end === 'lost' || failed.has(`${id} ${its}`));
    if (attempt !== 1 + counted.length)
      yield `${what} was delivered as attempt ${attempt}, after ${counted.length} that had failed`;
    if (before.some(({ life }) => life.deletedAt > returnedAt + lagMs))
      yield `${what} was delivered while another worker had it, since ${invokedAt}`;
  }
}

/** A job ends by its worker, or as a dead letter when it has failed too often. */
function* ends({ jobs, operations, attempts, maxCrashes }: JobsEvidence): Generator<string> {
  const nacks = grouped(
    operations.filter(({ call }) => call === 'nack'),
    ({ input }) => `${textOf(input, 'id')} ${numberOf(input, 'token')}`,
  );
  const received = new Set(
    operations
      .filter(({ call }) => call === 'receive')
      .map(({ output }) => `${textOf(output, 'id')} ${numberOf(output, 'token')}`),
  );
  for (const { id, tag, claims, body, remembered } of jobs) {
    const how = ({ token }: { readonly token: number }): string =>
      textOf(nacks.get(`${id} ${token}`)?.[0]?.input ?? {}, 'how');
    const failures = claims.filter(
      (claim) => how(claim) !== 'return' && how(claim) !== '' && claim.end !== 'lost',
    );
    const crashes = claims.filter(({ end }) => end === 'lost').length;
    const isForGood = failures.some((claim) => how(claim) === 'fail');
    const isDead = remembered?.key.includes('/dead/') ?? false;
    if (isDead && !isForGood && failures.length < attempts && crashes < maxCrashes)
      yield `${tag} is a dead letter after ${failures.length} failures and ${crashes} crashes`;
    if (!isDead && (failures.length >= attempts || crashes > maxCrashes || isForGood))
      yield `${tag} is no dead letter after ${failures.length} failures and ${crashes} crashes`;
    if (body.deleteRevision < Infinity && claims.at(-1)?.end !== 'done' && !isDead)
      yield `${tag} went at revision ${body.deleteRevision}, and is neither done nor dead`;
    for (const claim of claims) {
      const key = `${id} ${claim.token}`;
      if (claim.end === 'moved' && received.has(key) && !nacks.has(key))
        yield `${tag} was taken from its worker (token ${claim.token})`;
      const nack = nacks.get(key)?.[0];
      if (nack?.outcome === 'ok' && claim.end !== 'moved' && claim.end !== 'dead')
        yield `${tag} was given back under token ${claim.token}, and its claim is ${claim.end}`;
      if (nack?.outcome === 'no' && nack.error === 'HOLD_LOST' && claim.end !== 'lost')
        yield `${tag} was given back in vain under token ${claim.token}, and its claim is ${claim.end}`;
    }
  }
}

/** I8: at the end there are no jobs but those whose time is far away by a clock that has jumped. */
function* leftOver({ jobs, entries }: JobsEvidence): Generator<string> {
  for (const { tag, body, places: all } of jobs) {
    const last = all.at(-1);
    if (body.deleteRevision < Infinity || last === undefined) continue;
    if (last.kind !== 'delayed' || !isStruck(entries, 'jumpWall')) yield `${tag} is left over: ${last.kind}`;
  }
}
