import { type Conclave, fromKey, isConclaveError, UnavailableError, type WatchNotice } from '../index.js';
import { type Finding, note, ok, type Patient, problem, warning } from './doctor-finding.js';

const rounds = 20;
/** More revisions than that, and nobody compacts. */
const longHistory = 1_000_000n;
/** A member that is told to grant less raises it to its minimum: at least one and a half election timeouts. */
const tinyTtlSeconds = 1;
const probeTtlSeconds = 30;
/** What a watch may take to tell what it is opened for. */
const watchMs = 5_000;

/** Milliseconds each. */
export interface Delays {
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** What this user may do to the keys of the namespace, tried on a key that goes away with its lease. */
export async function checkPermissions(patient: Patient): Promise<readonly Finding[]> {
  const { conclave, hasLogin } = patient;
  const { store, namespace } = conclave;
  const key = probeKey(conclave);
  const { id } = await store.lease.grant({ ttlSeconds: probeTtlSeconds });
  const denied: string[] = [];
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    await work().catch((error: unknown) => {
      if (!isConclaveError(error, 'AUTH')) throw error;
      denied.push(what);
    });
  };
  await attempt('put', () => store.put(key, '', { lease: id }));
  await attempt('get', () => store.get(key));
  await attempt('watch', () => watchUntil(conclave, key, ({ kind }) => kind === 'created'));
  await attempt('delete', () => store.remove(key));
  await attempt('end leases', () => store.lease.revoke(id));
  if (denied.length > 0)
    return [
      problem(
        'permissions',
        `this user may not ${denied.join(', ')} below ${namespace}/`,
        `grant a role readwrite on the prefix ${namespace}/`,
      ),
    ];
  const outside = hasLogin && (await mayReadEverything(conclave));
  if (outside)
    return [
      warning(
        'permissions',
        `this user may put, get, watch and delete below ${namespace}/, and read all other keys too`,
        `a role readwrite on the prefix ${namespace}/ is enough`,
      ),
    ];
  const also = hasLogin ? ', and reads nothing else' : '; nobody has to log in to do that';
  return [ok('permissions', `put, get, watch and delete below ${namespace}/ work${also}`)];
}

/** How long reads and writes take from here, against the time in which a session has to be renewed. */
export async function checkDelays(patient: Patient): Promise<readonly Finding[]> {
  const { store } = patient.conclave;
  const key = probeKey(patient.conclave);
  const { id } = await store.lease.grant({ ttlSeconds: probeTtlSeconds });
  const reads: number[] = [];
  const writes: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      writes.push(await timed(() => store.put(key, String(round), { lease: id })));
      reads.push(await timed(() => store.get(key)));
    }
  } finally {
    await store.lease.revoke(id).catch(() => {}); // or it runs out
  }
  return judgeDelays({ reads, writes }, patient.sessionTtlMs);
}

export function judgeDelays({ reads, writes }: Delays, sessionTtlMs: number): readonly Finding[] {
  const worst = Math.max(...reads, ...writes);
  const text = `a read takes ${spread(reads)}, a write ${spread(writes)}, of ${writes.length} each`;
  const third = sessionTtlMs / 3;
  if (worst > 2 * third)
    return [
      problem(
        'delays',
        `${text}: a session of ${sessionTtlMs} ms is lost whenever a renewal takes as long`,
        'find out what slows etcd (its disk, as a rule) or the network, or use a longer sessionTtlMs',
      ),
    ];
  if (worst > third)
    return [
      warning(
        'delays',
        `${text}: a session of ${sessionTtlMs} ms has ${Math.round(2 * third)} ms for a renewal that is late`,
        'find out what slows etcd (its disk, as a rule) or the network, or use a longer sessionTtlMs',
      ),
    ];
  return [ok('delays', text)];
}

/** Whether sessions outlive an election of the servers. Their timeout shows in the shortest lease they grant. */
export async function checkTtl({ conclave, sessionTtlMs }: Patient): Promise<readonly Finding[]> {
  const { store } = conclave;
  const delayMs = await timed(() => store.get(probeKey(conclave)));
  const { id, ttlSeconds } = await store.lease.grant({ ttlSeconds: tinyTtlSeconds });
  await store.lease.revoke(id);
  return judgeTtl(sessionTtlMs, ttlSeconds, delayMs);
}

/** @param shortestTtlSeconds that the server grants: one and a half election timeouts, rounded up */
export function judgeTtl(
  sessionTtlMs: number,
  shortestTtlSeconds: number,
  delayMs: number,
): readonly Finding[] {
  const electionMs = (shortestTtlSeconds * 1_000) / 1.5;
  const neededMs = Math.ceil(3 * (electionMs + delayMs));
  const text = `sessions of ${sessionTtlMs} ms; the election timeout is ${Math.round(electionMs)} ms or less`;
  if (sessionTtlMs < shortestTtlSeconds * 1_000)
    return [
      warning(
        'ttl',
        `${text}: etcd makes them ${shortestTtlSeconds} s, so a crash is noticed later than was asked for`,
        `use a sessionTtlMs of ${neededMs} or more`,
      ),
    ];
  if (sessionTtlMs < neededMs)
    return [
      warning(
        'ttl',
        `${text}: a change of the leader can outlast them, and all locks are lost`,
        `use a sessionTtlMs of ${neededMs} or more`,
      ),
    ];
  return [ok('ttl', `${text}: they outlive a change of the leader`)];
}

/** How much history is kept. Whether etcd compacts by itself cannot be asked; what it has compacted shows in a watch. */
export async function checkHistory({ conclave }: Patient): Promise<readonly Finding[]> {
  const { store } = conclave;
  const key = probeKey(conclave);
  const { header } = await store.get(key);
  return judgeHistory(header.revision, await compactRevisionOf(conclave, key));
}

/** A read says only that something was compacted; a watch from the beginning says, a moment after it was created, what. */
async function compactRevisionOf(conclave: Conclave, key: string): Promise<bigint> {
  try {
    await conclave.store.get(key, { revision: 1n });
    return 0n;
  } catch (error) {
    if (!isConclaveError(error, 'COMPACTED')) throw error;
  }
  try {
    await watchUntil(conclave, key, () => false, 1n);
  } catch (error) {
    if (isConclaveError(error, 'COMPACTED')) return error.compactRevision;
    throw error;
  }
  return 0n;
}

/** @param compactRevision the oldest that is kept; 0n if nothing was ever compacted */
export function judgeHistory(revision: bigint, compactRevision: bigint): readonly Finding[] {
  const kept = revision - compactRevision;
  const advice = 'set --auto-compaction-retention (it is off by default), or compact from time to time';
  if (kept > longHistory)
    return [warning('history', `${kept} revisions are kept, and fill the database until it is full`, advice)];
  if (compactRevision === 0n)
    return [note('history', `all ${kept} revisions are kept, nothing was ever compacted: ${advice}`)];
  return [ok('history', `${kept} revisions are kept, those before ${compactRevision} were compacted`)];
}

/** What nobody can measure is said rather than guessed. */
export function aboutClocks(): Finding {
  return note(
    'clocks',
    'not looked at: etcd tells no time. They need not agree, only run equally fast; `since` in lists is the holder’s own',
  );
}

function probeKey({ namespace }: Conclave): string {
  return `${namespace}/doctor/probe-${process.pid}`;
}

/** Resolves once a watch tells that. @throws UnavailableError if it does not: a watch on its own waits as long as it takes */
async function watchUntil(
  { store }: Conclave,
  key: string,
  isEnough: (notice: WatchNotice) => boolean,
  startRevision = 0n,
): Promise<void> {
  const signal = AbortSignal.timeout(watchMs);
  try {
    for await (const notice of store.watch(key, { startRevision, signal })) if (isEnough(notice)) return;
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new UnavailableError(`watch ${key}: nothing was told within ${watchMs} ms`, { cause: error });
  }
}

async function mayReadEverything({ store }: Conclave): Promise<boolean> {
  try {
    await store.get(fromKey('\0'), { limit: 1, keysOnly: true });
    return true;
  } catch (error) {
    if (isConclaveError(error, 'AUTH')) return false;
    throw error;
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** `3 ms (at worst 12)` */
function spread(delays: readonly number[]): string {
  const sorted = [...delays].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${round(median)} ms (at worst ${round(sorted.at(-1) ?? 0)})`;
}

function round(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms));
}
