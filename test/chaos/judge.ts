import { type Coverage, coverageOf } from '../history/invariants/holding.js';
import { notesOf, type Violation } from '../history/record.js';
import { judgeReplay } from '../history/replay.js';
import { caseOf } from '../workload/judge-lines.js';
import type { Evidence, Workload } from '../workload/workload.js';

/** What the evidence of a run says against it. */
export function judge(workload: Workload, evidence: Evidence): Violation[] {
  return [...judgeReplay(evidence.changes), ...errorsOf(evidence), ...workload.judge(evidence)];
}

/** How many of the holds that clients were told of I1 has looked at. */
export function holdsJudged(evidence: Evidence): Coverage {
  return coverageOf(caseOf(evidence));
}

/** Of fewer it may be that nobody wrote under one. */
const many = 10;

/** Whether I1 has looked at none of many holds: it has shown nothing. */
export function isBlind({ told, judged }: Coverage): boolean {
  return told >= many && judged === 0;
}

/** What the library threw that is no error of its own. */
function errorsOf({ entries }: Evidence): Violation[] {
  return notesOf(entries)
    .filter(({ what }) => what === 'error')
    .map(({ client, facts }) => ({ rule: 'error', what: `${client}: ${JSON.stringify(facts['stack'])}` }));
}
