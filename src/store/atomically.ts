import { ConflictError, InvalidRequestError, isConclaveError } from '../base/errors.js';
import { checkOptions, raceSignal, Wait, type WaitOptions } from '../base/wait.js';
import type { Change } from './change.js';
import { commit, type Committed } from './commit.js';
import { retry } from './retry.js';
import { Snapshot } from './at-one-revision.js';
import { Staged, type Transaction } from './staged.js';
import type { Store } from './store.js';

/** `timeoutMs` and `signal` end it between two steps: once the writes are sent, their answer is awaited. */
export interface AtomicOptions extends WaitOptions {
  /** How often the function is run at most. @default Infinity */
  readonly maxAttempts?: number;
}

/** How many keys a message names. */
const namedKeys = 3;

/**
 * Reads and writes several keys as if nobody else did anything in between: runs `body`, then writes all that it has put and
 * removed in one transaction, if nothing that it has read or is about to write has changed. Otherwise it runs `body` again,
 * after a pause: `body` may run several times, and should do nothing else.
 *
 * ```ts
 * const count = await atomically(store, async (txn) => {
 *   const next = Number((await txn.getText('visits')) ?? 0) + 1;
 *   txn.put('visits', String(next));
 *   return next;
 * });
 * ```
 *
 * Guarantees:
 * - Transactions are serializable. `body` sees the store at one revision, also in a run that comes to nothing.
 * - What was written is written once, whatever becomes of the answer; or this rejects with `OutcomeUnknownError`.
 *
 * Costs a round trip for the reads that `body` asks for at the same time, and one to write; a body that only reads commits
 * nothing. Keys that are written without being read are read at the end, in one more. An `atomically` inside of `body` is a
 * transaction of its own.
 *
 * If no answer to the writes comes, they are sent again in a way that cannot do them twice. Often that settles it. It cannot if
 * somebody may have written the same values just then, or if all keys that were written are new: then it rejects with
 * `OutcomeUnknownError`, and its message says whether a late copy may yet be applied. `conclave.atomically` always finds out.
 *
 * @param body gets what it reads and writes with; whatever it returns is the result, what it throws is thrown, and then
 * nothing is written
 * @throws ConflictError after `maxAttempts`, naming the keys; WaitTimeoutError; the signal's reason
 * @throws UnavailableError: nothing was written; OutcomeUnknownError; InvalidRequestError if it is more than etcd takes in one
 * transaction (by default 126 keys read or written, 1.5 MB); NotFoundError if a lease is gone; AuthError
 */
export function atomically<T>(
  store: Store,
  body: (txn: Transaction) => T | Promise<T>,
  options: AtomicOptions = {},
): Promise<T> {
  return runAtomically({ store, commit: (change) => commit(store, change) }, body, options);
}

/** @internal How the writes of a transaction are made. */
export interface Committer {
  readonly store: Store;
  readonly commit: (change: Change, signal: AbortSignal) => Promise<Committed>;
}

/** @internal `atomically`, with another way to commit. */
export async function runAtomically<T>(
  committer: Committer,
  body: (txn: Transaction) => T | Promise<T>,
  options: AtomicOptions,
): Promise<T> {
  checkOptions(options, ['timeoutMs', 'signal', 'maxAttempts'], 'atomically');
  if (typeof body !== 'function') throw new TypeError('atomically: a function is missing');
  const { maxAttempts = Infinity, timeoutMs, signal } = options;
  if (maxAttempts !== Infinity && (!Number.isSafeInteger(maxAttempts) || maxAttempts < 1))
    throw new RangeError(`atomically: maxAttempts must be a whole number, 1 or more; got ${maxAttempts}`);
  const { runtime } = committer.store;
  const wait = Wait.start(runtime, { timeoutMs: timeoutMs ?? Infinity, signal }, 'atomically');
  let lost = 0;
  try {
    return await retry(runtime, () => attempt(committer, body, wait.signal), {
      signal: wait.signal,
      maxDelayMs: 500,
      again: (error) => {
        if (!(error instanceof Lost)) return false;
        lost++;
        wait.obstacle = `; lost ${lost} ${lost === 1 ? 'time' : 'times'} against others, last on ${error.on}`;
        if (wait.immediate) throw wait.timeout();
        if (lost >= maxAttempts) throw new ConflictError(`atomically${wait.obstacle.replace(';', ':')}`);
        return true;
      },
    });
  } finally {
    wait.end();
  }
}

/** One run came to nothing: others have changed something. */
class Lost extends Error {
  readonly on: string;

  constructor(keys: readonly string[]) {
    super();
    const named = keys.slice(0, namedKeys).map((key) => JSON.stringify(key));
    const others = keys.length - named.length;
    this.on =
      named.join(', ') + (others > 0 ? ` and ${others} more` : '') ||
      'a revision that could not be read any more';
  }
}

async function attempt<T>(
  { store, commit: commitChange }: Committer,
  body: (txn: Transaction) => T | Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const snapshot = new Snapshot(store, signal);
  const staged = new Staged(snapshot, signal);
  let result: T;
  let change: Change | undefined;
  try {
    const running = (async () => body(staged))();
    result = await raceSignal(running, signal);
    change = await staged.end();
  } catch (error) {
    if (snapshot.isUnreadable) throw new Lost([]);
    throw error;
  } finally {
    staged.close();
  }
  if (!change) return result;
  signal.throwIfAborted();
  const changed = await commitChange(change, signal).catch((error: unknown) => {
    throw explained(error, change);
  });
  if (changed) throw new Lost(changed);
  return result;
}

/** etcd says only that there were too many operations. */
function explained(error: unknown, { keys, ranges, writes }: Change): unknown {
  if (!isConclaveError(error, 'INVALID_REQUEST') || !/too many operations/.test(error.message)) return error;
  const relied = `relies on ${keys.length + ranges.length} keys and ranges and writes ${writes.length}`;
  return new InvalidRequestError(
    `atomically: ${relied}, more than etcd takes in one transaction (--max-txn-ops)`,
    {
      cause: error,
    },
  );
}
