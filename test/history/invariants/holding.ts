import { describeGrant, type Grant, grantsOf, type LineEvidence, ticketsByKey, weightIn } from '../line.js';
import type { Life } from '../lives.js';
import type { Violation } from '../record.js';
import { revisionBy } from '../witness.js';

/**
 * I1: those who were told that they hold are not too many, at any revision: from the one that the store had when they were
 * told, or the next that is known for sure, to the one at which their ticket went. The rule of the line plays no part in this,
 * only how many may hold together.
 */
export function judgeHolding(evidence: LineEvidence): Violation[] {
  const { kind, operations } = evidence;
  const tickets = ticketsByKey(evidence);
  const told = new Set<string>();
  const violations: Violation[] = [];
  const spans = grantsOf(operations).flatMap((grant) => {
    const ticket = tickets.get(grant.key);
    if (ticket?.createRevision !== grant.token) {
      violations.push(complaint(`${describeGrant(grant)} was told of a ticket that never stood`));
      return [];
    }
    if (told.has(grant.key)) return []; // re-entrant
    told.add(grant.key);
    return spansOf(evidence, grant, ticket, revisionBy(evidence, grant.returnedAt));
  });
  const edges = spans.flatMap((span) => [
    { at: span.from, by: span.weight, span },
    { at: span.to, by: -span.weight, span },
  ]);
  // Who leaves at a revision is gone before somebody comes.
  edges.sort((a, b) => (a.at === b.at ? a.by - b.by : a.at < b.at ? -1 : 1));
  const holding = new Set<Span>();
  let total = 0;
  for (const { at, by, span } of edges) {
    total += by;
    if (by < 0) holding.delete(span);
    else holding.add(span);
    if (by < 0 || total <= kind.capacity) continue;
    const who = [...holding].map(({ grant }) => describeGrant(grant)).join(', ');
    violations.push(complaint(`at revision ${at} the ${kind.name} is held by ${who}`));
  }
  return violations;
}

/** How many holds clients were told of, and how many of these I1 looks at. */
export interface Coverage {
  readonly told: number;
  readonly judged: number;
}

/** Of all locks and elections of a run. The tickets of the others had gone by the first revision that is known for sure. */
export function coverageOf(evidence: Omit<LineEvidence, 'kind' | 'line'>): Coverage {
  const tickets = new Map(evidence.lives.map((life) => [life.key, life]));
  const toldAt = new Map<string, number>();
  // Of a re-entrant hold the first.
  for (const { key, returnedAt } of grantsOf(evidence.operations))
    if (!toldAt.has(key)) toldAt.set(key, returnedAt);
  const judged = [...toldAt].filter(
    ([key, at]) => revisionBy(evidence, at) < (tickets.get(key)?.deleteRevision ?? 0),
  );
  return { told: toldAt.size, judged: judged.length };
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly weight: number;
  readonly grant: Grant;
}

/** One for each form: a writer may become a reader. */
function spansOf({ kind }: LineEvidence, grant: Grant, { forms }: Life, start: number): Span[] {
  return forms
    .map(({ from, to, value }) => ({ from: Math.max(from, start), to, weight: weightIn(kind, value), grant }))
    .filter(({ from, to }) => from < to);
}

function complaint(what: string): Violation {
  return { rule: 'I1', what };
}
