import { compareBytes, equalBytes, toText } from '../base/bytes.js';
import {
  compare,
  type Compare,
  get,
  type GetOp,
  type KeyRange,
  type Op,
  prefix,
  type PutOp,
  toRange,
} from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import type { LockDelay } from './lock-delay.js';
import type { Rule } from './rules.js';

/** A line as it was at one revision. */
export interface LineState {
  readonly revision: bigint;
  /** Oldest first: by create revision, then by key. */
  readonly tickets: readonly KeyValue[];
  /** What else is stored with the line: a semaphore's limit. */
  readonly settings: readonly KeyValue[];
}

export interface LineSpec {
  /** Everything of the line stands below this, and the line's view watches it. */
  readonly prefix: string;
  /** For messages: `mutex "orders/42"`. */
  readonly title: string;
  /** Where the tickets stand. @default `prefix` */
  readonly ticketPrefix?: string;
  /** How a ticket is put. @default just so */
  readonly entering?: (ticket: PutOp) => readonly Op[];
  /** What else to remove with a ticket that has had its turn, or to do then: it must work while the store is over its quota. @default nothing */
  readonly leaving?: (ticketKey: string) => readonly Op[];
  /** The prefix is itself the one key of the line: what only begins like it is of others. @default false */
  readonly isOneKey?: boolean;
  /** Why no ticket is put although the transaction is done, if that can be. */
  readonly refusal?: (state: LineState) => Error | undefined;
  /** Makes a successor wait after a crash. @default nothing does */
  readonly delay?: LockDelay | undefined;
}

/**
 * Where tickets stand in order, under one prefix of the store. Everything that waits is a ticket in a line, and a rule.
 *
 * A value: it describes what transactions about the line consist of.
 */
export class Line {
  readonly prefix: string;
  readonly title: string;
  readonly delay: LockDelay | undefined;
  /** All its keys. */
  readonly range: KeyRange;
  readonly #tickets: KeyRange;
  readonly #ticketPrefix: string;
  readonly #spec: LineSpec;

  constructor(spec: LineSpec) {
    this.#spec = spec;
    this.prefix = spec.prefix;
    this.title = spec.title;
    this.delay = spec.delay;
    this.range = spec.isOneKey ? toRange(spec.prefix) : prefix(spec.prefix);
    this.#ticketPrefix = spec.ticketPrefix ?? spec.prefix;
    this.#tickets = prefix(this.#ticketPrefix);
  }

  /** The key of a ticket with this name. */
  keyOf(ticketName: string): string {
    return this.#ticketPrefix + ticketName;
  }

  /** The line, whole: every take reads it, so that group commit keeps two tickets of one line apart. */
  reads(): readonly GetOp[] {
    return [get(this.range), ...(this.delay ? [this.delay.read()] : [])];
  }

  entering(ticket: PutOp): readonly Op[] {
    const entering = this.#spec.entering?.(ticket) ?? [ticket];
    return this.delay ? [...entering, this.delay.mark(this.#tickets, ticket.key)] : entering;
  }

  refusal(state: LineState): Error | undefined {
    return this.#spec.refusal?.(state);
  }

  /** What is to be removed together with the ticket. It must work while the store is over its quota. */
  leaving(ticketKey: string): readonly Op[] {
    const leaving = this.#spec.leaving?.(ticketKey) ?? [];
    return this.delay ? [...leaving, this.delay.unmark(ticketKey)] : leaving;
  }

  /** Nobody stands in it. */
  isFree(): readonly Compare[] {
    return [compare.createRevision(this.#tickets, '=', 0n), ...(this.delay ? [this.delay.isUnmarked()] : [])];
  }

  /** Nobody has come since, and no setting was put. Somebody may have left: that forbids nothing. */
  isUnchangedSince(revision: bigint): readonly Compare[] {
    return [
      compare.modRevision(prefix(this.prefix), '<', revision + 1n),
      ...(this.delay ? [this.delay.isUnmarked()] : []),
    ];
  }

  /** Nobody but this ticket stands in it. */
  isOnly(ticketKey: string): readonly Compare[] {
    const { key, end = new Uint8Array([0]) } = this.#tickets;
    const mine = Buffer.from(ticketKey);
    const next = new Uint8Array([...mine, 0]);
    return [
      compare.createRevision({ key, end: mine }, '=', 0n),
      compare.createRevision({ key: next, end }, '=', 0n),
    ];
  }

  /** Whether a ticket with this value would be let pass at once, if nobody else came before. */
  wouldAdmit(rule: Rule, value: Uint8Array, state: LineState): boolean {
    if (this.delay?.isMarkedIn(state.settings)) return false;
    const next = state.revision + 1n;
    const mine = {
      key: this.#tickets.key,
      value,
      createRevision: next,
      modRevision: next,
      version: 1n,
      lease: 0n,
    };
    return rule(state.tickets, mine, state.settings);
  }

  /** What an answer has shown of it. */
  stateOf(revision: bigint, kvs: readonly KeyValue[]): LineState {
    const tickets: KeyValue[] = [];
    const settings: KeyValue[] = [];
    for (const kv of kvs) (this.#isTicket(kv.key) ? tickets : settings).push(kv);
    return { revision, tickets: tickets.sort(inOrder), settings };
  }

  #isTicket(key: Uint8Array): boolean {
    const start = this.#tickets.key;
    return key.length > start.length && equalBytes(key.subarray(0, start.length), start);
  }
}

/** A line's order. Two tickets can share a revision only if a foreign program put both in one transaction. */
export function inOrder(a: KeyValue, b: KeyValue): number {
  if (a.createRevision === b.createRevision) return compareBytes(a.key, b.key);
  return a.createRevision < b.createRevision ? -1 : 1;
}

/**
 * The place of a ticket in its line, 0 for the oldest; -1 if it does not stand there. Quick: each of thousands that wait
 * asks after each change.
 *
 * @param tickets in order
 */
export function placeOf(tickets: readonly KeyValue[], key: string, createRevision: bigint): number {
  let [place, end] = [0, tickets.length];
  while (place < end) {
    const middle = (place + end) >>> 1;
    const found = tickets[middle];
    if (found && found.createRevision < createRevision) place = middle + 1;
    else end = middle;
  }
  for (; tickets[place]?.createRevision === createRevision; place++) {
    const ticket = tickets[place];
    if (ticket && toText(ticket.key) === key) return place;
  }
  return -1;
}
