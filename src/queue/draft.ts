import { checkJson } from '../base/json.js';
import { validate } from '../base/schema.js';
import { type Draft, jobsPerTransaction } from './enqueuer.js';
import { type CheckedQueueOptions, checkEnqueueOptions, type EnqueueOptions } from './queue-options.js';
import type { QueueParts } from './settle.js';

/** The largest value, as JSON: the server refuses requests of more than 1.5 MB. */
const maxValueBytes = 900_000;

/** No I/O. @throws InvalidValueError, TypeError, RangeError; ClosedError */
export async function draftOf(
  { layout, connection }: QueueParts,
  queueOptions: CheckedQueueOptions,
  value: unknown,
  options: EnqueueOptions,
): Promise<Draft> {
  const now = connection.runtime.wallNow();
  const what = `${layout.title}: enqueue`;
  const { id, runAt, ...checked } = checkEnqueueOptions(options, queueOptions, now, what);
  connection.closing.throwIfAborted();
  const snapshot = await checkValue(queueOptions, value, maxValueBytes, `value for ${layout.title}`);
  const { priority, attempts, backoff, group, expiresAt } = checked;
  const body = {
    value: snapshot.value,
    priority,
    attempts,
    backoff,
    enqueuedAt: now,
    ...(group !== undefined && { group }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(id !== undefined && { isNamed: true as const }),
  };
  return {
    id: id ?? connection.runtime.id().toString(16).padStart(16, '0'),
    body,
    runAt,
    bytes: snapshot.bytes,
  };
}

/** A value as JSON carries it. */
interface Snapshot {
  readonly value: unknown;
  /** As JSON. */
  readonly bytes: number;
}

/**
 * @returns a copy: it is sent later, beside the jobs of others, and whoever enqueues may change the value meanwhile
 * @throws InvalidValueError; TypeError; RangeError if it is too large
 */
export async function checkValue(
  { schema }: Pick<CheckedQueueOptions, 'schema'>,
  value: unknown,
  maxBytes: number,
  what: string,
): Promise<Snapshot> {
  const text = JSON.stringify(checkJson(value));
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new RangeError(`${what}: ${bytes} bytes are too many (at most ${maxBytes})`);
  const copy: unknown = JSON.parse(text);
  // As a worker will read it: a Date, for example, is a text by then.
  if (schema) await validate(schema, copy, what);
  return { value: copy, bytes };
}

/** No more than one transaction can carry, and none of them twice the same id. */
export function transactions(drafts: readonly Draft[]): readonly (readonly Draft[])[] {
  const all: Draft[][] = [];
  let ids = new Set<string>();
  let bytes = 0;
  for (const draft of drafts) {
    bytes += draft.bytes;
    const last = all.at(-1);
    if (last && last.length < jobsPerTransaction && bytes <= maxValueBytes && !ids.has(draft.id)) {
      last.push(draft);
      ids.add(draft.id);
    } else {
      all.push([draft]);
      ids = new Set([draft.id]);
      bytes = draft.bytes;
    }
  }
  return all;
}
