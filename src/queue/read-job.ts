import { toText } from '../base/bytes.js';
import { type StandardSchema, validate } from '../base/schema.js';
import type { Claimed } from './claim.js';
import { textOf } from './delivery.js';
import { bodyIn, type JobBody } from './job.js';
import type { DeadReason } from './moves.js';
import { type HeldJob, type QueueParts, settle } from './settle.js';

/** A job that was taken, as its handler is to see it. */
export interface ReadJob {
  readonly job: HeldJob;
  readonly value: unknown;
}

/**
 * Reads a job that was taken. One whose time is over, or that cannot be read, becomes a dead letter.
 *
 * @param onBuried told of the group of that one
 * @throws ConflictError if a newer version has put it: it is given back, for that
 */
export async function readJob(
  parts: QueueParts,
  schema: StandardSchema | undefined,
  claimed: Claimed,
  onBuried: (group: string | undefined) => void,
): Promise<ReadJob | undefined> {
  const { connection, layout } = parts;
  const stored = await bodyOf(parts, claimed);
  const body = stored ?? { ...nothing, value: claimed.body && toText(claimed.body.value) };
  const job: HeldJob = { ...claimed, body };
  const bury = async (reason: DeadReason, error?: string): Promise<undefined> => {
    const record = { ...job.record, ...(error !== undefined && { error }) };
    await settle(parts, job, { kind: 'dead', job: { ...job, record }, reason });
    onBuried(body.group);
  };
  if (!stored) return bury('unreadable', 'what was stored of it is gone, or was written by another program');
  const { expiresAt, value } = body;
  if (expiresAt !== undefined && connection.runtime.wallNow() > expiresAt) return bury('expired');
  if (!schema) return { job, value };
  try {
    const checked = await validate(schema, value, `job ${JSON.stringify(job.id)} of ${layout.title}`);
    return { job, value: checked };
  } catch (error) {
    return bury('unreadable', textOf(error));
  }
}

async function bodyOf(parts: QueueParts, claimed: Claimed): Promise<JobBody | undefined> {
  try {
    return bodyIn(claimed.body);
  } catch (error) {
    // Its priority is all that is needed to put it back.
    const job = { ...claimed, body: { ...nothing, priority: claimed.priority } };
    await settle(parts, job, { kind: 'later', job, delayMs: 0 });
    throw error;
  }
}

/** Stands for what cannot be read. */
const nothing: JobBody = {
  value: null,
  priority: 0,
  attempts: 1,
  backoff: { minMs: 0, maxMs: 0 },
  enqueuedAt: 0,
  place: '',
};
