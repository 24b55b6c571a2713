import { toText } from '../base/bytes.js';
import { ConflictError } from '../base/errors.js';
import type { KeyValue } from '../store/results.js';

/** How long to wait before another attempt. Doubles with each failure; the pause taken is random between half of it and all. */
export interface Backoff {
  /** After the first failure, milliseconds. @default 1000 */
  readonly minMs?: number;
  /** Milliseconds. @default 3600000 */
  readonly maxMs?: number;
}

/** What is stored of a job when it is enqueued: never changed, so it is written once however often the job is tried. */
export interface JobBody {
  readonly value: unknown;
  readonly priority: number;
  readonly group?: string;
  /** How often it may fail. */
  readonly attempts: number;
  readonly backoff: Required<Backoff>;
  /** Wall clock of whoever enqueued it, milliseconds since 1970. */
  readonly enqueuedAt: number;
  /** It is of no use to begin with it after this time. */
  readonly expiresAt?: number;
  /** Whoever enqueued it chose its id: that is remembered for a while after its end. */
  readonly isNamed?: true;
  /** The key under which it was put first. */
  readonly place: string;
}

/** How a job has fared so far: written where it waits, and while it runs. */
export interface JobRecord {
  readonly failures: number;
  /** How many workers were lost over it. */
  readonly crashes: number;
  /** The slot of its group that it occupies. */
  readonly slot?: number;
  /** The latest. */
  readonly error?: string;
  /** Why it waits again. */
  readonly because?: 'failed' | 'crashed' | 'returned' | 'retried';
}

export const freshRecord: JobRecord = { failures: 0, crashes: 0 };

/** Programs of different versions share queues during a rolling deploy as long as this number is the same. */
const version = 1;

export function encode(content: object): string {
  return JSON.stringify({ v: version, ...content });
}

/**
 * What we have written there; undefined if it is nothing of ours.
 *
 * @throws ConflictError if a newer version of this library wrote it
 */
export function decode({ key, value }: KeyValue): object | undefined {
  let content: unknown;
  try {
    content = JSON.parse(toText(value));
  } catch {
    return undefined;
  }
  if (typeof content !== 'object' || content === null || !('v' in content)) return undefined;
  const { v, ...rest } = content;
  if (typeof v !== 'number') return undefined;
  if (v > version) {
    throw new ConflictError(
      `${toText(key)} was written by a newer version of Conclave (format ${v}; this one reads ${version}): update this program`,
    );
  }
  return rest;
}

/** undefined if it is nothing of ours. @throws ConflictError */
export function bodyIn(kv: KeyValue | undefined): JobBody | undefined {
  return kv && (decode(kv) as JobBody | undefined);
}

/** The record at the place of a job; a fresh one if somebody has spoilt it. @throws ConflictError */
export function recordIn(kv: KeyValue): JobRecord {
  return { ...freshRecord, ...decode(kv) };
}

/** Which attempt the next one is, 1 for the first. */
export function attemptOf({ failures, crashes }: JobRecord): number {
  return failures + crashes + 1;
}
