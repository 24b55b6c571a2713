import { isConclaveError, NotFoundError, UnavailableError } from '../base/errors.js';
import { sessionKey } from '../base/keys.js';
import type { Runtime } from '../base/runtime.js';
import type { Lease } from '../store/lease.js';
import { compare, get, put } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import { retry } from '../store/retry.js';
import type { Store } from '../store/store.js';
import type { Holder } from './ticket-value.js';

export interface SessionOptions {
  readonly runtime: Runtime;
  readonly namespace: string;
  /** Whole seconds, in milliseconds. */
  readonly ttlMs: number;
  /** Shown to others as who holds or waits. */
  readonly holder: Holder;
}

/** The session key as it was created: its create revision, and the first epoch. */
export type Origin = Pick<KeyValue, 'createRevision' | 'modRevision'>;

/**
 * Grants a lease and puts the session key under it. Both requests can be repeated: the lease's id is ours, and the put
 * only creates. Nothing may be sent under the session before the revisions of its key are known.
 *
 * @throws UnavailableError if that does not succeed within the store's time limit. What it leaves ends with the lease.
 */
export async function openLease(
  store: Store,
  options: SessionOptions,
): Promise<{ lease: Lease; kv: Origin }> {
  const { runtime, namespace, ttlMs, holder } = options;
  const until = runtime.now() + store.timeoutMs;
  const lease = await store.lease.grant({ ttlSeconds: ttlMs / 1_000 }).catch((error: unknown) => {
    throw asUnavailable(error);
  });
  const key = sessionKey(namespace, lease.id);
  const value = JSON.stringify({ v: 1, holder });
  runtime.probe('session.granted');
  try {
    const kv = await retry(runtime, () => createKey(store, key, value, lease.id, until - runtime.now()), {
      again: (error) => isConclaveError(error, 'OUTCOME_UNKNOWN') && runtime.now() < until,
    });
    return { lease, kv };
  } catch (error) {
    store.lease.revoke(lease.id).catch(() => {}); // It ends by itself in one TTL.
    throw asUnavailable(error);
  }
}

/** Half of the time that is left, so that a member that is silent leaves some for the next one. */
function patience(remainingMs: number): number {
  return Math.max(500, remainingMs / 2);
}

async function createKey(
  store: Store,
  key: string,
  value: string,
  lease: bigint,
  remainingMs: number,
): Promise<Origin> {
  const answer = await store.txn(
    {
      if: [compare.createRevision(key, '=', 0n)],
      then: [put(key, value, { lease })],
      else: [get(key)],
    },
    { timeoutMs: patience(remainingMs) },
  );
  const { revision } = answer.header;
  if (answer.succeeded) return { createRevision: revision, modRevision: revision };
  const kv = answer.responses[0].kvs[0];
  if (kv?.lease !== lease) throw new NotFoundError(`session key ${key} belongs to another lease`);
  return kv;
}

/** What may be over the next time; a store over its quota, too, which a waiter sits out. */
const passing = ['OUTCOME_UNKNOWN', 'NOT_FOUND', 'RESOURCE_EXHAUSTED'] as const;

/** Opening is safe to try again whatever became of it: the next attempt is another lease. */
function asUnavailable(error: unknown): unknown {
  return passing.some((code) => isConclaveError(error, code)) && error instanceof Error
    ? new UnavailableError(`no session could be opened: ${error.message}`, { cause: error })
    : error;
}
