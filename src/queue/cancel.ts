import { toText } from '../base/bytes.js';
import { isConclaveError } from '../base/errors.js';
import { encodeName, messageKey, sessionKey, ticketNameIn } from '../base/keys.js';
import type { Wait } from '../base/wait.js';
import { atOnce } from '../session/at-once.js';
import { onceInAnySession } from '../session/once.js';
import { encodeMessage } from '../session/release-request.js';
import { readContent } from '../session/ticket-value.js';
import { readTogether } from '../store/read-together.js';
import { compare, get, prefix, put, remove } from '../store/operations.js';
import { bodyIn, encode, type JobBody, recordIn } from './job.js';
import type { QueueParts } from './settle.js';

interface Cancelled {
  readonly state: 'waiting' | 'running';
  readonly group: string | undefined;
}

/** See `Queue.cancel`. Tries until what it has seen of the job is still so when it acts. */
export async function cancel(parts: QueueParts, id: string): Promise<Cancelled | undefined> {
  const { connection, layout, retention } = parts;
  encodeName(id); // a bad id is an error before any I/O
  return atOnce(connection, `${layout.title}: cancel`, async (wait) => {
    while (true) {
      const { results } = await readTogether(
        connection.store,
        [
          get(layout.job(id)),
          get(layout.placeOf(id)),
          get(layout.activeOf(id)),
          get(prefix(layout.claimsOf(id))),
        ],
        { signal: wait.signal },
      );
      const [jobs, places, active, claims] = results;
      const body = bodyIn(jobs.kvs[0]);
      if (!body) return undefined;
      const { group } = body;
      const place = places.kvs[0] ? toText(places.kvs[0].value) : body.place;
      const cancelling = active.kvs[0]
        ? stopRunning(parts, id, active.kvs[0], claims.kvs[0], wait)
        : removeWaiting(parts, { id, body }, place, wait);
      const isDone = await cancelling.catch((error: unknown) => {
        if (!isConclaveError(error, 'NOT_FOUND')) throw error;
        // The lease that it named is gone: of a session that was lost meanwhile, or of results.
        retention.forget();
        return false;
      });
      if (isDone) return { state: active.kvs[0] ? 'running' : 'waiting', group };
    }
  });
}

async function removeWaiting(
  { connection, layout, retention }: QueueParts,
  { id, body }: { readonly id: string; readonly body: JobBody },
  place: string,
  { signal }: Wait,
): Promise<boolean> {
  const { kvs } = await connection.store.get(place, { signal });
  const [waiting] = kvs;
  if (!waiting) return false; // it has moved on meanwhile
  const job = { id, body, record: recordIn(waiting) };
  const end = { state: 'cancelled' as const, at: connection.runtime.wallNow() };
  const stands = compare.modRevision(place, '=', waiting.modRevision);
  const move = await retention.moveToEnd(layout, job, end);
  const { isDone } = await onceInAnySession(
    connection,
    { if: [stands], then: [remove(place), ...move.then] },
    signal,
  );
  return isDone;
}

/** A mark that stays as long as the job does; and a message to the worker, who hears it at once. */
async function stopRunning(
  { connection, layout }: QueueParts,
  id: string,
  active: { readonly modRevision: bigint },
  claim: Parameters<typeof readContent>[0] | undefined,
  { signal }: Wait,
): Promise<boolean> {
  const { options, runtime } = connection;
  const session = await connection.session();
  const ns = claim && readContent(claim)?.holder?.ns;
  const message = encodeMessage({ by: options.holder, reason: 'cancelled', at: runtime.wallNow() });
  const letter =
    claim && ns !== undefined
      ? [
          put(messageKey(sessionKey(ns, claim.lease), 'ask', ticketNameIn(toText(claim.key))), message, {
            lease: session.leaseId,
          }),
        ]
      : [];
  const { isDone } = await onceInAnySession(
    connection,
    {
      if: [compare.modRevision(layout.activeOf(id), '=', active.modRevision)],
      then: [put(layout.cancelOf(id), encode({ at: runtime.wallNow() })), ...letter],
    },
    signal,
  );
  return isDone;
}
