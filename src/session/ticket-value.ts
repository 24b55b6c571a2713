import { toText } from '../base/bytes.js';
import { ConflictError } from '../base/errors.js';
import { isoTime } from '../base/runtime.js';
import type { KeyValue } from '../store/results.js';

/** Who stands behind a ticket, as stored in it. */
export interface Holder {
  /** As given to `connect`; by default host and process id. */
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  /** The namespace in which its session lives. */
  readonly ns: string;
}

/** A ticket as others see it. */
export interface TicketInfo {
  readonly key: string;
  /** Its create revision: its place in the line, and the fencing token of the hold. */
  readonly fencingToken: bigint;
  /** Absent for tickets of other programs (Go, etcdctl). */
  readonly holder?: Holder;
  /** When it was put, by its owner's wall clock: ISO 8601. */
  readonly since?: string;
}

/** Programs of different versions share lines during a rolling deploy as long as this number is the same. */
const version = 1;

export function encodeTicket(holder: Holder, wallNow: number): string {
  return JSON.stringify({ v: version, holder, since: wallNow });
}

/** @throws ConflictError if a newer version of this library wrote it */
export function readTicket({ key, value, createRevision }: KeyValue): TicketInfo {
  const info = { key: toText(key), fencingToken: createRevision };
  const content = parse(value);
  if (!content) return info;
  if (content.v > version) {
    throw new ConflictError(
      `${info.key} was written by a newer version of Conclave (format ${content.v}; this one reads ${version}): update this program`,
    );
  }
  const { holder, since } = content;
  return { ...info, ...(holder && { holder }), ...(since !== undefined && { since: isoTime(since) }) };
}

/** For messages; never throws. */
export function describeTicket(kv: KeyValue): string {
  const content = parse(kv.value);
  const who = content?.holder
    ? `${content.holder.name} (host ${content.holder.host}, pid ${content.holder.pid})`
    : 'another program';
  const since = content?.since === undefined ? '' : ` since ${isoTime(content.since)}`;
  return `${who}${since}, token ${kv.createRevision}`;
}

interface Content {
  readonly v: number;
  readonly holder?: Holder;
  readonly since?: number;
}

/** undefined for anything that is not ours. Unknown fields are ignored. */
function parse(value: Uint8Array): Content | undefined {
  try {
    const content: unknown = JSON.parse(toText(value));
    if (typeof content !== 'object' || content === null || !('v' in content)) return undefined;
    const { v, holder, since } = content as { v: unknown; holder?: unknown; since?: unknown };
    if (typeof v !== 'number') return undefined;
    return {
      v,
      ...(isHolder(holder) && { holder }),
      ...(typeof since === 'number' && Math.abs(since) <= 8.64e15 && { since }),
    };
  } catch {
    return undefined;
  }
}

function isHolder(holder: unknown): holder is Holder {
  if (typeof holder !== 'object' || holder === null) return false;
  const { name, host, pid, ns } = holder as Partial<Record<keyof Holder, unknown>>;
  return (
    typeof name === 'string' && typeof host === 'string' && typeof pid === 'number' && typeof ns === 'string'
  );
}
