import { numberOf, parseFacts, textOf } from './facts.js';
import { type Life, livesRightBelow } from './lives.js';
import type { LockKind } from './lock-kinds.js';
import type { Operation } from './record.js';
import type { Sight } from './witness.js';

/** What the invariants of one lock, or one election, are about. */
export interface LineEvidence extends Sight {
  readonly kind: LockKind;
  /** The prefix of its tickets: `conclave/lock/<name>/`, of a semaphore `conclave/semaphore/<name>/t/`. */
  readonly line: string;
  /** Those on this lock alone. */
  readonly operations: readonly Operation[];
  /** Of all changes. */
  readonly lives: readonly Life[];
}

/** A client was told that it holds, or leads. */
export interface Grant {
  readonly client: string;
  readonly key: string;
  readonly token: number;
  readonly invokedAt: number;
  readonly returnedAt: number;
}

/** In the order in which they were asked for. */
export function grantsOf(operations: readonly Operation[]): Grant[] {
  return operations.flatMap(({ call, outcome, client, output, invokedAt, returnedAt }) => {
    if (outcome !== 'ok' || (call !== 'acquire' && call !== 'campaign')) return [];
    return [{ client, key: textOf(output, 'key'), token: numberOf(output, 'token'), invokedAt, returnedAt }];
  });
}

export function describeGrant({ client, key, token }: Grant): string {
  return `${client} (${key}, token ${token})`;
}

export function ticketsOf({ lives, line }: Pick<LineEvidence, 'lives' | 'line'>): Life[] {
  return livesRightBelow(lives, line);
}

/** By the key of the ticket. */
export function ticketsByKey(evidence: Pick<LineEvidence, 'lives' | 'line'>): Map<string, Life> {
  return new Map(ticketsOf(evidence).map((ticket) => [ticket.key, ticket]));
}

export function weightIn(kind: LockKind, value: string): number {
  return kind.weightOf(parseFacts(value));
}

/**
 * When the rule let each ticket pass: the first revision at which its weight and those of all older ones, waiting or
 * holding, were within the capacity. It may then pass for as long as it stands. Tickets that never might are left out.
 */
export function admissions(kind: LockKind, tickets: readonly Life[]): Map<Life, number> {
  const events: { readonly revision: number; readonly ticket: Life; readonly weight: number }[] = [];
  for (const ticket of tickets) {
    for (const { from, value } of ticket.forms)
      events.push({ revision: from, ticket, weight: weightIn(kind, value) });
    if (ticket.deleteRevision < Infinity) events.push({ revision: ticket.deleteRevision, ticket, weight: 0 });
  }
  events.sort((a, b) => a.revision - b.revision);
  /** In the order of their creation, as a map keeps it. */
  const line = new Map<Life, number>();
  const admitted = new Map<Life, number>();
  events.forEach(({ revision, ticket, weight }, i) => {
    if (weight === 0) line.delete(ticket);
    else line.set(ticket, weight);
    if (events[i + 1]?.revision === revision) return;
    let total = 0;
    for (const [each, itsWeight] of line) {
      if ((total += itsWeight) > kind.capacity) break;
      if (!admitted.has(each)) admitted.set(each, revision);
    }
  });
  return admitted;
}
