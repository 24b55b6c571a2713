import { QueueLayout } from '../../src/queue/layout.js';
import { idIn } from '../../src/queue/lane.js';
import type { Life } from '../rig/history.js';
import { never } from '../rig/history.js';

/** What a producer was told about a job. Times by one clock for all processes. */
export interface Enqueue {
  readonly id: string;
  readonly lane: number;
  readonly began: bigint;
  readonly returned: bigint;
}

/** A delivery, or its acknowledgement, as its worker was told: the token is the create revision of the claim. */
export interface Handling {
  readonly id: string;
  readonly token: bigint;
}

/** Somebody was told that there is no job. */
export interface Empty {
  /** A revision read before the question. */
  readonly from: bigint;
  /** A revision read after the answer. */
  readonly to: bigint;
}

/** What everybody was told. */
export interface Told {
  /** Ids of all jobs that anybody has tried to enqueue, whatever came of it. */
  readonly wanted: readonly string[];
  /** Those that were confirmed. */
  readonly enqueues: readonly Enqueue[];
  readonly deliveries: readonly Handling[];
  /** Those that were confirmed. */
  readonly acks: readonly Handling[];
  readonly empties: readonly Empty[];
}

/** A claim of a job, as the store has it. */
export interface Claim {
  readonly token: bigint;
  readonly to: bigint;
  /** `lost`: it went, and the job stayed active without it. `moved`: the job was given back, or failed. */
  readonly end: 'done' | 'moved' | 'lost' | 'open';
}

/** A job, as the store has it. */
export interface JobHistory {
  readonly id: string;
  /** How often it was put as a new job. */
  readonly times: number;
  /** When it came to its end; `never` if it has not. */
  readonly to: bigint;
  /** Oldest first. */
  readonly claims: readonly Claim[];
  /** When it could be taken. */
  readonly ready: readonly { readonly from: bigint; readonly to: bigint }[];
}

export type ViolationKind =
  | 'lost'
  | 'phantom'
  | 'put twice'
  | 'acknowledged twice'
  | 'acknowledged in vain'
  | 'ended by nobody'
  | 'held by two'
  | 'out of order'
  | 'not empty'
  | 'left over';

export interface Violation {
  readonly kind: ViolationKind;
  readonly what: string;
}

/** What the store has recorded of a queue, by the ids of its jobs. */
export function jobsIn(lives: readonly Life[], namespace: string, queue: string): Map<string, JobHistory> {
  const { jobs, active, ready } = new QueueLayout(namespace, queue);
  const below = (prefix: string): readonly Life[] => lives.filter(({ key }) => key.startsWith(prefix));
  const bodies = byId(below(jobs), ({ key }) => idIn(key));
  const [actives, claims] = split(below(active), ({ key }) => !key.slice(active.length).includes('/'));
  const activesOf = byId(actives, ({ key }) => idIn(key));
  const claimsOf = byId(claims, ({ key }) => idIn(key.slice(0, key.lastIndexOf('/'))));
  const readyOf = byId(below(ready.prefix), ({ key }) => idIn(key));
  const ids = new Set([...bodies.keys(), ...claimsOf.keys(), ...readyOf.keys()]);
  return new Map(
    [...ids].map((id) => {
      const ends = new Set((bodies.get(id) ?? []).map(({ to }) => to));
      const activeEnds = new Set((activesOf.get(id) ?? []).map(({ to }) => to));
      const endOf = ({ to }: Life): Claim['end'] => {
        if (to === never) return 'open';
        if (ends.has(to)) return 'done';
        return activeEnds.has(to) ? 'moved' : 'lost';
      };
      const job: JobHistory = {
        id,
        times: bodies.get(id)?.length ?? 0,
        to: bodies.get(id)?.at(-1)?.to ?? never,
        claims: (claimsOf.get(id) ?? []).map((life) => ({
          token: life.createRevision,
          to: life.to,
          end: endOf(life),
        })),
        ready: (readyOf.get(id) ?? []).map(({ createRevision: from, to }) => ({ from, to })),
      };
      return [id, job];
    }),
  );
}

/** Everything that a queue must never do, and has done. For a run at whose end all is done. */
export function violations(told: Told, jobs: ReadonlyMap<string, JobHistory>): Violation[] {
  return [
    ...lost(told, jobs),
    ...phantoms(told, jobs),
    ...doubles(told, jobs),
    ...vain(told, jobs),
    ...unended(jobs),
    ...held(jobs),
    ...outOfOrder(told, jobs),
    ...notEmpty(told, jobs),
    ...leftOver(jobs),
  ];
}

/** How often jobs were taken beyond the first time. */
export function redeliveries(jobs: ReadonlyMap<string, JobHistory>): number {
  return [...jobs.values()].reduce((sum, { claims }) => sum + Math.max(0, claims.length - 1), 0);
}

/** Of those that were done, how many their worker was never told about. */
export function untold({ acks }: Told, jobs: ReadonlyMap<string, JobHistory>): number {
  const known = new Set(acks.map(({ id }) => id));
  return [...jobs.values()].filter(({ id, to }) => to !== never && !known.has(id)).length;
}

type Jobs = ReadonlyMap<string, JobHistory>;

/** Confirmed, and not done, in the end. */
function lost({ enqueues }: Told, jobs: Jobs): Violation[] {
  return enqueues
    .filter(({ id }) => (jobs.get(id)?.to ?? never) === never)
    .map(({ id }) => violation('lost', id));
}

/** Delivered, and nobody has put it, or the store knows of no such claim. */
function phantoms({ wanted, deliveries, acks }: Told, jobs: Jobs): Violation[] {
  const known = new Set(wanted);
  const ofNobody = [...jobs.values()].filter(({ id }) => !known.has(id)).map(({ id }) => id);
  const unclaimed = [...deliveries, ...acks]
    .filter(({ id, token }) => !jobs.get(id)?.claims.some((claim) => claim.token === token))
    .map(({ id, token }) => `${id} by ${token}`);
  return [...ofNobody, ...unclaimed].map((what) => violation('phantom', what));
}

function doubles({ acks }: Told, jobs: Jobs): Violation[] {
  const told = byId(acks, ({ id }) => id);
  const twiceTold = [...told].filter(([, all]) => all.length > 1).map(([id]) => id);
  const twiceDone = [...jobs.values()].filter(({ claims }) => count(claims, 'done') > 1).map(({ id }) => id);
  const twicePut = [...jobs.values()].filter(({ times }) => times > 1);
  return [
    ...[...new Set([...twiceTold, ...twiceDone])].map((id) => violation('acknowledged twice', id)),
    ...twicePut.map(({ id }) => violation('put twice', id)),
  ];
}

/** Confirmed to a worker, and it was not this one who has done it, as the store has it. */
function vain({ acks }: Told, jobs: Jobs): Violation[] {
  return acks
    .filter(({ id, token }) =>
      jobs.get(id)?.claims.some((each) => each.token === token && each.end !== 'done'),
    )
    .map(({ id, token }) => violation('acknowledged in vain', `${id} by ${token}`));
}

/** Gone, and no worker has done it. */
function unended(jobs: Jobs): Violation[] {
  return [...jobs.values()]
    .filter(({ to, claims }) => to !== never && count(claims, 'done') === 0)
    .map(({ id }) => violation('ended by nobody', id));
}

function held(jobs: Jobs): Violation[] {
  return [...jobs.values()].flatMap(({ id, claims }) =>
    claims
      .filter((claim, i) => (claims[i + 1]?.token ?? never) < claim.to)
      .map(({ token }) => violation('held by two', `${id} by ${token} and the next`)),
  );
}

/** Put after another one had been confirmed, and taken for the first time before it. */
function outOfOrder({ enqueues }: Told, jobs: Jobs): Violation[] {
  const firstClaim = ({ id }: Enqueue): bigint => jobs.get(id)?.claims[0]?.token ?? never;
  return [...byId(enqueues, ({ lane }) => String(lane)).values()].flatMap((lane) => {
    const byReturn = [...lane].sort((a, b) => compareTimes(a.returned, b.returned));
    const byBegin = [...lane].sort((a, b) => compareTimes(a.began, b.began));
    let next = 0;
    let latest: Enqueue | undefined;
    return byBegin.flatMap((job) => {
      for (let before = byReturn[next]; before && before.returned < job.began; before = byReturn[++next]) {
        if (!latest || firstClaim(before) > firstClaim(latest)) latest = before;
      }
      if (!latest || firstClaim(latest) <= firstClaim(job)) return [];
      return [violation('out of order', `${job.id} was taken before ${latest.id}`)];
    });
  });
}

/** There was one that could be taken, from before the question until after the answer. */
function notEmpty({ empties }: Told, jobs: Jobs): Violation[] {
  const waits = [...jobs.values()].flatMap(({ id, ready }) => ready.map((each) => ({ id, ...each })));
  return empties.flatMap(({ from, to }) => {
    const there = waits.find((wait) => wait.from <= from && to < wait.to);
    return there ? [violation('not empty', `${there.id} was there from ${from} to ${to}`)] : [];
  });
}

function leftOver(jobs: Jobs): Violation[] {
  const isOpen = ({ to }: { readonly to: bigint }): boolean => to === never;
  return [...jobs.values()]
    .filter(({ to, claims, ready }) => to === never || claims.some(isOpen) || ready.some(isOpen))
    .map(({ id }) => violation('left over', id));
}

function violation(kind: ViolationKind, what: string): Violation {
  return { kind, what };
}

function count(claims: readonly Claim[], end: Claim['end']): number {
  return claims.filter((claim) => claim.end === end).length;
}

function compareTimes(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byId<T>(all: readonly T[], idOf: (each: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of all) {
    const id = idOf(each);
    const group = groups.get(id);
    if (group) group.push(each);
    else groups.set(id, [each]);
  }
  return groups;
}

function split<T>(all: readonly T[], isFirst: (each: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((each) => !isFirst(each))];
}
