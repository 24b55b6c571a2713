import { toText } from '../base/bytes.js';
import { isoTime, maxTimerMs } from '../base/runtime.js';
import { describeHolder, type Holder, isHolder } from './ticket-value.js';

/** Who wants a ticket back, or has taken it away, and why. */
export interface Message {
  readonly by: Holder;
  readonly reason: string;
  /** Counted from `at`. */
  readonly deadlineMs?: number;
  /** By the wall clock of whoever sends it. */
  readonly at: number;
}

/**
 * Why `hold.releaseRequested` has aborted: somebody asks for what is held. Whether to give it back, and when, is for the
 * holder to say; nothing happens if it does not. The library never throws it.
 */
export class ReleaseRequest extends Error {
  override readonly name = 'ReleaseRequest';
  readonly by: Holder;
  readonly reason: string;
  /** How soon it is wanted, milliseconds from the request; undefined if that was not said. */
  readonly deadlineMs: number | undefined;

  /** @internal */
  constructor(title: string, { by, reason, deadlineMs, at }: Message) {
    const when = deadlineMs === undefined ? '' : `; wanted by ${isoTime(at + deadlineMs)}`;
    super(`${title} is asked for by ${describeHolder(by)}: ${reason}${when}`);
    this.by = by;
    this.reason = reason;
    this.deadlineMs = deadlineMs;
  }
}

/** Why a hold was lost, or a place in line: somebody has taken the ticket away by force. Found as `cause`. */
export class ForcedRelease extends Error {
  override readonly name = 'ForcedRelease';
  readonly by: Holder;
  readonly reason: string;

  /** @internal */
  constructor(title: string, { by, reason }: Message) {
    super(`${title} was released by force by ${describeHolder(by)}: ${reason}`);
    this.by = by;
    this.reason = reason;
  }
}

/** Programs of different versions talk to each other during a rolling deploy as long as this number is the same. */
const version = 1;

export function encodeMessage({ by, reason, deadlineMs, at }: Message): string {
  return JSON.stringify({ v: version, by, reason, deadlineMs, at });
}

/** undefined for anything that is none, or that makes no sense. */
export function readMessage(bytes: Uint8Array): Message | undefined {
  try {
    const message: unknown = JSON.parse(toText(bytes));
    if (typeof message !== 'object' || message === null) return undefined;
    const { v, by, reason, deadlineMs, at } = message as Partial<Record<keyof Message | 'v', unknown>>;
    if (v !== version || !isHolder(by) || typeof reason !== 'string' || !isTime(at)) return undefined;
    return { by, reason, at, ...(isDelay(deadlineMs) && { deadlineMs }) };
  } catch {
    return undefined;
  }
}

/** Far from the ends of what a date can be. */
function isTime(at: unknown): at is number {
  return typeof at === 'number' && Math.abs(at) <= 8e15;
}

function isDelay(ms: unknown): ms is number {
  return typeof ms === 'number' && ms >= 0 && ms <= maxTimerMs;
}
