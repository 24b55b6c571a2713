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
  /** Read/write lock. */
  readonly mode?: 'read' | 'write';
  /** Semaphore: how many it takes. */
  readonly permits?: number;
}

/** Programs of different versions share lines during a rolling deploy as long as this number is the same. */
const version = 1;

/** What a ticket asks for, besides its place: each kind of line has its own. */
export interface Wish {
  /** Read/write lock. */
  readonly mode?: 'read' | 'write';
  /** Semaphore: permits. */
  readonly weight?: number;
  /** Election: what the candidate stands for. */
  readonly value?: string;
  /** Election: others yield to a higher one. */
  readonly priority?: number;
  /** Election: the ticket to which its leader wants to hand over. */
  readonly transferTo?: string;
  /** Job of a queue: how far its worker is. */
  readonly progress?: unknown;
  /** Barrier: how many have to come. */
  readonly parties?: number;
  /** Double barrier: the ticket with which somebody who leaves has entered. */
  readonly entered?: string;
}

export function encodeTicket(holder: Holder, wallNow: number, wish: Wish = {}): string {
  return JSON.stringify({ v: version, holder, since: wallNow, ...wish });
}

/** A ticket is read again and again while others wait behind it. */
const contents = new WeakMap<KeyValue, Content | undefined>();

/**
 * What is written on a ticket; undefined if it is not one of ours.
 *
 * @throws ConflictError if a newer version of this library wrote it
 */
export function readContent(kv: KeyValue): Content | undefined {
  if (!contents.has(kv)) contents.set(kv, parse(kv.value));
  const content = contents.get(kv);
  if (content && content.v > version) {
    throw new ConflictError(
      `${toText(kv.key)} was written by a newer version of Conclave (format ${content.v}; this one reads ${version}): update this program`,
    );
  }
  return content;
}

/** @throws ConflictError if a newer version of this library wrote it */
export function readTicket(kv: KeyValue): TicketInfo {
  const info = { key: toText(kv.key), fencingToken: kv.createRevision };
  const content = readContent(kv);
  if (!content) return info;
  const { holder, since, mode, weight } = content;
  return {
    ...info,
    ...(holder && { holder }),
    ...(since !== undefined && { since: isoTime(since) }),
    ...(mode !== undefined && { mode }),
    ...(weight !== undefined && { permits: weight }),
  };
}

/** The holder is described for each who waits, after each change. */
const descriptions = new WeakMap<KeyValue, string>();

/** For messages; never throws. */
export function describeTicket(kv: KeyValue): string {
  const description = descriptions.get(kv) ?? describe(kv);
  descriptions.set(kv, description);
  return description;
}

function describe(kv: KeyValue): string {
  const content = parse(kv.value);
  const who = content?.holder ? describeHolder(content.holder) : 'another program';
  const since = content?.since === undefined ? '' : ` since ${isoTime(content.since)}`;
  return `${who}${since}, token ${kv.createRevision}`;
}

/** For messages. */
export function describeHolder({ name, host, pid }: Holder): string {
  return `${name} (host ${host}, pid ${pid})`;
}

interface Content extends Wish {
  readonly v: number;
  readonly holder?: Holder;
  readonly since?: number;
}

/** undefined for anything that is not ours. Unknown fields are ignored, and so are known ones that make no sense. */
function parse(bytes: Uint8Array): Content | undefined {
  try {
    const content: unknown = JSON.parse(toText(bytes));
    if (typeof content !== 'object' || content === null) return undefined;
    const { v, holder, since, mode, weight, value, priority, transferTo } = content as Fields;
    const { progress, parties, entered } = content as Fields;
    if (typeof v !== 'number') return undefined;
    return {
      v,
      ...(isHolder(holder) && { holder }),
      ...(typeof since === 'number' && Math.abs(since) <= 8.64e15 && { since }),
      ...((mode === 'read' || mode === 'write') && { mode }),
      ...(typeof weight === 'number' && weight >= 1 && { weight }),
      ...(typeof value === 'string' && { value }),
      ...(typeof priority === 'number' && { priority }),
      ...(typeof transferTo === 'string' && { transferTo }),
      ...(progress !== undefined && { progress }),
      ...(typeof parties === 'number' && { parties }),
      ...(typeof entered === 'string' && { entered }),
    };
  } catch {
    return undefined;
  }
}

type Fields = Partial<Record<keyof Content, unknown>>;

export function isHolder(holder: unknown): holder is Holder {
  if (typeof holder !== 'object' || holder === null) return false;
  const { name, host, pid, ns } = holder as Partial<Record<keyof Holder, unknown>>;
  return (
    typeof name === 'string' && typeof host === 'string' && typeof pid === 'number' && typeof ns === 'string'
  );
}
