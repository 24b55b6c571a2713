import { toText } from '../base/bytes.js';
import type { Demand, Surroundings } from '../session/demand.js';
import { noOlderTicket } from '../session/rules.js';
import type { Session } from '../session/session.js';
import { encodeTicket, readContent, type Wish } from '../session/ticket-value.js';
import type { KeyValue } from '../store/results.js';

/** How an election stores what its candidates stand for. */
export interface Ballot {
  /** @param since when the candidate has stood up, wall-clock milliseconds */
  write(session: Session, wish: Candidacy, since: number): string;
  /** What a candidate stands for. Never throws: an observer must not end because of what somebody wrote. */
  valueOf(ticket: KeyValue): string;
  /** When a candidate has stood up, if its ticket says so. Never throws. */
  sinceOf(ticket: KeyValue): number | undefined;
  /** undefined if it says none. Never throws. */
  priorityOf(ticket: KeyValue): number | undefined;
}

export type Candidacy = Pick<Wish, 'value' | 'priority' | 'transferTo'>;

/** Elections by name: beside the value, who it is, and what it wishes of the others. */
export const named: Ballot = {
  write: ({ options }, wish, since) => encodeTicket(options.holder, since, wish),
  valueOf: (ticket) => contentOf(ticket)?.value ?? toText(ticket.value),
  sinceOf: (ticket) => contentOf(ticket)?.since,
  priorityOf: (ticket) => contentOf(ticket)?.priority,
};

/** Elections by `{ path }`: the value alone, as other programs read and write it. It may look like one of our tickets. */
export const raw: Ballot = {
  write: (_session, { value = '' }) => value,
  valueOf: (ticket) => toText(ticket.value),
  sinceOf: () => undefined,
  priorityOf: () => undefined,
};

/** @throws TypeError before anything is sent */
export function checkValue(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('the value must be a string');
  if (!value.isWellFormed()) throw new TypeError('the value contains a lone surrogate');
  return value;
}

/** To lead: the oldest candidate does. */
export function candidacy(ballot: Ballot, wish: Candidacy): Demand {
  return {
    rule: noOlderTicket,
    ticketValue: (session) => ballot.write(session, wish, session.options.runtime.wallNow()),
    ...(ballot === named && { yields: (line) => prefersAnother(line, wish.priority ?? 0) }),
  };
}

/**
 * Whether one that waits should go behind another: the one to whom the leader wants to hand over, or one of higher
 * priority. It goes to the end of the line, so once for each; the rule stays that the oldest leads, and nothing that a
 * younger one wishes can forbid it.
 */
export function prefersAnother({ older, mine, younger }: Surroundings, priority: number): boolean {
  const [leader] = older;
  const successor = leader && contentOf(leader)?.transferTo;
  if (successor === toText(mine.key)) return false;
  return younger.some(
    (ticket) =>
      (contentOf(ticket)?.priority ?? 0) > priority ||
      (successor !== undefined && toText(ticket.key) === successor),
  );
}

/**
 * What is written on a ticket; undefined for one of another program, or of a newer version: that is no reason to give way,
 * and none to fail.
 */
function contentOf(ticket: KeyValue): ReturnType<typeof readContent> {
  try {
    return readContent(ticket);
  } catch {
    return undefined;
  }
}
