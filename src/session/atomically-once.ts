import { type AtomicOptions, runAtomically } from '../store/atomically.js';
import { changedKeys, looks, unchanged } from '../store/change.js';
import type { Transaction } from '../store/staged.js';
import type { Connection } from './connection.js';
import { onceInAnySession } from './once.js';

/** `atomically`, whose writes carry a receipt: whether they were done is found out whatever becomes of the answer. */
export function atomicallyOnce<T>(
  connection: Connection,
  body: (txn: Transaction) => T | Promise<T>,
  options: AtomicOptions = {},
): Promise<T> {
  const { store } = connection;
  const commit: Parameters<typeof runAtomically>[0]['commit'] = async (change, signal) => {
    const parts = {
      if: unchanged(change),
      then: change.writes.map(({ op }) => op),
      else: looks(change),
    };
    const result = await onceInAnySession(connection, parts, signal);
    return result.isDone ? undefined : changedKeys(change, result.responses);
  };
  return runAtomically({ store, commit }, body, options);
}
