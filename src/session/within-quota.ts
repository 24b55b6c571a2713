import { quotaProbeKey } from '../base/keys.js';
import { put, type TxnOp } from '../store/operations.js';
import type { TxnResult } from '../store/results.js';
import type { Session } from './session.js';

/**
 * The server holds against its quota only what is put at the top level: nested puts pass it, even under the alarm
 * (measured on 3.4.23). So a transaction that puts only deeper is sent beside a put that is never done.
 */
export async function sendWithinQuota(
  session: Session,
  op: TxnOp,
): Promise<TxnResult & { readonly revision: bigint }> {
  const options = { timeoutMs: session.requestTimeoutMs };
  if (op.then.some(({ kind }) => kind === 'put')) {
    const { header, ...result } = await session.store.txn(op, options);
    return { ...result, revision: header.revision };
  }
  const probe = put(quotaProbeKey(session.options.namespace), '');
  const answer = await session.store.txn({ then: [op], else: [probe] }, options);
  if (!answer.succeeded) throw new TypeError('a transaction without conditions has failed');
  return { ...answer.responses[0], revision: answer.header.revision };
}
