import { admissions, describeGrant, grantsOf, type LineEvidence, ticketsOf } from '../line.js';
import type { Violation } from '../record.js';
import { revisionBy } from '../witness.js';

/**
 * I4: first come, first served. Who is told that it holds had been let pass by then: all older tickets, those that wait
 * included, had gone or leave room for it.
 */
export function judgeTurns(evidence: LineEvidence): Violation[] {
  const { kind, operations } = evidence;
  const tickets = ticketsOf(evidence);
  const admitted = new Map<string, number>();
  for (const [{ key }, revision] of admissions(kind, tickets)) admitted.set(key, revision);
  return grantsOf(operations).flatMap((grant) => {
    const passed = admitted.get(grant.key) ?? Infinity;
    const now = revisionBy(evidence, grant.returnedAt);
    if (passed <= now) return [];
    const older = tickets.filter((each) => each.createRevision < grant.token && now < each.deleteRevision);
    const behind = older.map(({ key }) => key).join(', ');
    const what = `${describeGrant(grant)} was told at revision ${now} that it holds, and stands behind ${behind}`;
    return [{ rule: 'I4', what }];
  });
}
