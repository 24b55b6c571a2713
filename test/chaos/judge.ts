import { notesOf, type Violation } from '../history/record.js';
import type { Evidence, Workload } from '../workload/workload.js';

/** What the evidence of a run says against it. */
export function judge(workload: Workload, evidence: Evidence): Violation[] {
  return [...gapsOf(evidence), ...errorsOf(evidence), ...workload.judge(evidence)];
}

/** A dump with a hole proves nothing. */
function gapsOf({ changes }: Evidence): Violation[] {
  let last = 1;
  for (const { revision } of changes) {
    if (revision > last + 1)
      return [{ rule: 'dump', what: `revisions ${last + 1} to ${revision - 1} are missing` }];
    last = revision;
  }
  return [];
}

/** What the library threw that is no error of its own. */
function errorsOf({ entries }: Evidence): Violation[] {
  return notesOf(entries)
    .filter(({ what }) => what === 'error')
    .map(({ client, facts }) => ({ rule: 'error', what: `${client}: ${JSON.stringify(facts['stack'])}` }));
}
