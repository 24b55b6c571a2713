import { numberOf, textOf } from '../history/facts.js';
import type { QueueCall } from '../history/models/fifo.js';
import { queuePatterns } from '../history/queue-patterns.js';
import type { Operation, Violation } from '../history/record.js';
import type { Timed } from '../history/wgl.js';
import type { JobsEvidence } from './jobs-judge.js';
import type { StoredJob } from './stored-jobs.js';
import { grouped } from './grouped.js';
import { healedAt, isStruck, mayHaveReadStale } from './struck.js';

/** A job that waits, and somebody who waits for one, find each other within this, once nothing is wrong. */
const wakeUpMs = 2_000;
/** What was wrong may go on for so long: sessions that are lost, requests that wait for their answers. */
const recoveryMs = 10_000;

/** In a simulation clocks go at most a quarter faster than each other, from its beginning on. */
const usualDrift = 0.25;
/** Clocks are read in whole milliseconds, and corrected a little all the time. */
const roundingMs = 2;

/** I5, I9: when jobs are taken. */
export function judgeOrder(evidence: JobsEvidence): Violation[] {
  const isFresh = !mayHaveReadStale(evidence.entries);
  return [
    ...(isFresh ? [...overtaken(evidence), ...lessUrgent(evidence)] : []).map(rule('I5 order')),
    ...tooEarly(evidence).map(rule('I5 delay')),
    ...groupsAtOnce(evidence).map(rule('I5 group')),
    ...[...notWoken(evidence), ...tooLate(evidence)].map(rule('I9')),
  ];
}

function rule(name: string): (what: string) => Violation {
  return (what) => ({ rule: name, what });
}

/**
 * If one enqueue had resolved before another of the same priority began, its job is taken first, the first time: each lane is
 * a FIFO queue.
 */
function overtaken({ jobs, operations }: JobsEvidence): string[] {
  const created = new Map<string, Operation>();
  for (const operation of operations)
    if (operation.call === 'enqueue' && operation.output['created'] === true)
      created.set(textOf(operation.output, 'id'), operation);
  const lanes = grouped(
    jobs,
    ({ content }) => `${numberOf(content, 'priority')} ${textOf(content, 'group')}`,
  );
  return [...lanes.values()].flatMap((lane) => {
    const ids = grouped(lane, ({ id }) => id);
    const calls = lane.flatMap((job): Timed<QueueCall>[] => {
      const put = created.get(job.id);
      const isDelayed = job.places[0]?.kind === 'delayed';
      // Of an id that was given again it is not known which of its jobs this call has put.
      if (!put || isDelayed || ids.get(job.id)?.length !== 1) return [];
      const { client, invokedAt: from, returnedAt: to } = put;
      const enqueue: Timed<QueueCall> = { client, from, to, call: { kind: 'enqueue', id: job.tag } };
      const at = job.claims[0]?.life.createdAt;
      if (at === undefined) return [enqueue];
      return [enqueue, { client: '', from: at, to: at, call: { kind: 'dequeue', id: job.tag } }];
    });
    return queuePatterns(calls).map(({ what }) => what);
  });
}

/** Whoever asks when a more urgent one is there does not get another while that waits. */
function lessUrgent({ jobs, operations }: JobsEvidence): string[] {
  const takers = new Map<number, { readonly job: StoredJob; readonly at: number }>();
  const found: string[] = [];
  for (const job of jobs)
    for (const { token, life } of job.claims) takers.set(token, { job, at: life.createdAt });
  const previous = new Map<string, Operation>();
  for (const operation of operations) {
    if (operation.call !== 'receive') continue;
    const before = previous.get(operation.client);
    previous.set(operation.client, operation);
    // What was being taken for somebody who has gone since may be for this one.
    if (before && before.output['id'] === undefined) continue;
    const token = numberOf(operation.output, 'token');
    const taken = takers.get(token);
    if (!taken) continue;
    const priority = numberOf(taken.job.content, 'priority');
    const waited = jobs.find(
      ({ content, places }) =>
        numberOf(content, 'priority') > priority &&
        places.some(
          ({ kind, life }) =>
            kind === 'ready' && life.createdAt < operation.invokedAt && life.deleteRevision > token,
        ),
    );
    if (waited)
      found.push(`${taken.job.tag} was taken (${token}) while ${waited.tag} waited, which is more urgent`);
  }
  return found;
}

/** By the clocks of those who put and take, as long as these only differ in how fast they go. */
function tooEarly({ jobs, operations, entries, clockDrift = usualDrift }: JobsEvidence): string[] {
  if (isStruck(entries, 'jumpWall')) return [];
  const begin = entries[0]?.at ?? 0;
  const asked = operations.filter(({ input }) => numberOf(input, 'delayMs') > 0);
  const puts = grouped(
    operations.filter(({ call }) => call === 'enqueue'),
    ({ input }) => textOf(input, 'tag'),
  );
  const nacks = new Map(
    asked.filter(({ call }) => call === 'nack').map((each) => [numberOf(each.input, 'token'), each]),
  );
  return jobs.flatMap(({ tag, places, claims, body }) =>
    places.flatMap(({ kind, life }) => {
      const claim = claims.find(({ life: { deleteRevision } }) => deleteRevision === life.createRevision);
      const put = life.createRevision === body.createRevision ? puts.get(tag)?.[0] : undefined;
      const why = claim ? nacks.get(claim.token) : put;
      const delayMs = why ? numberOf(why.input, 'delayMs') : 0;
      if (!why || !(delayMs > 0)) return [];
      const due = why.invokedAt + delayMs;
      // It may be late when it is put.
      const passedAt = kind === 'delayed' ? life.deletedAt : life.createdAt;
      if (passedAt >= due - roundingMs - (due - begin) * clockDrift) return [];
      return [`${tag} was to wait ${delayMs} ms from ${why.invokedAt}, and did until ${passedAt}`];
    }),
  );
}

/** Of a group one job runs at a time, or stands ready to. */
function groupsAtOnce({ jobs }: JobsEvidence): string[] {
  const found: string[] = [];
  const its = jobs.filter(({ content }) => content['group'] !== undefined);
  for (const group of grouped(its, ({ content }) => textOf(content, 'group')).values()) {
    const busy = group
      .flatMap(({ tag, places }) => places.map((place) => ({ tag, ...place })))
      .filter(({ kind }) => kind === 'ready' || kind === 'active')
      .sort((a, b) => a.life.createRevision - b.life.createRevision);
    busy.forEach(({ tag, life }, i) => {
      const before = busy[i - 1];
      if (before && before.life.deleteRevision > life.createRevision && before.tag !== tag)
        found.push(`${tag} was let pass at revision ${life.createRevision} while ${before.tag} was`);
    });
  }
  return found;
}

/** Once nothing is wrong, nobody waits while a job does. Who has died, or lost its session, waits no more. */
function notWoken({ jobs, operations, entries }: JobsEvidence): string[] {
  const calm = healedAt(entries) + recoveryMs;
  const waits = operations.filter(
    ({ call, outcome, returnedAt }) => call === 'receive' && outcome !== 'unknown' && returnedAt > calm,
  );
  return waits.flatMap(({ client, invokedAt, returnedAt }) =>
    jobs.flatMap(({ tag, places }) =>
      places
        .filter(({ kind, life }) => {
          const from = Math.max(calm, invokedAt, life.createdAt);
          return kind === 'ready' && Math.min(returnedAt, life.deletedAt) > from + wakeUpMs;
        })
        .map(
          ({ life }) =>
            `${client} waited from ${invokedAt} to ${returnedAt}, and ${tag} was there from ${life.createdAt} to ${life.deletedAt}`,
        ),
    ),
  );
}

/** Once nothing is wrong, a job that waits for its time is ready soon after it. */
function tooLate({ jobs, entries, clockDrift = usualDrift, lagMs = 0 }: JobsEvidence): string[] {
  if (isStruck(entries, 'jumpWall')) return [];
  const begin = entries[0]?.at ?? 0;
  const calm = healedAt(entries) + recoveryMs;
  return jobs.flatMap(({ tag, content, places, body }) => {
    // Not later than it was put: what it was to wait ends then, or sooner.
    const wallAhead = numberOf(content, 'enqueuedAt') - body.createdAt;
    return places.flatMap(({ kind, life }) => {
      if (kind !== 'delayed') return [];
      const due = dueIn(life.key) - wallAhead;
      const latest = Math.max(calm, due + (due - begin) * clockDrift) + wakeUpMs + lagMs;
      return life.deletedAt <= latest ? [] : [`${tag} was due at ${due}, and was ready at ${life.deletedAt}`];
    });
  });
}

/** By the wall clock of whoever has put it. */
function dueIn(key: string): number {
  return parseInt(/\/delayed\/([0-9a-f]+)\//.exec(key)?.[1] ?? '', 16);
}
