import type { CallOptions } from './caller.js';
import type { GetOp } from './operations.js';
import type { GetResult } from './results.js';
import type { Store } from './store.js';

/** Reads, all at one revision: one linearizable transaction. */
export async function readTogether<const Ops extends readonly GetOp[]>(
  store: Store,
  ops: Ops,
  options?: CallOptions,
): Promise<{ readonly revision: bigint; readonly results: { readonly [I in keyof Ops]: GetResult } }> {
  const { header, responses } = await store.txn({ then: ops }, options);
  // Without conditions the only branch is the one that was asked for.
  return { revision: header.revision, results: responses as unknown as { [I in keyof Ops]: GetResult } };
}
