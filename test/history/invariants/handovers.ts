import { numberOf, textOf } from '../facts.js';
import type { Life } from '../lives.js';
import type { Operation, Violation } from '../record.js';

/** A transfer that is said to be done: when the leader went, nobody stood before the one it was to be, if that still stood. */
export function judgeHandovers(
  operations: readonly Operation[],
  lives: readonly Life[],
  folder: string,
): Violation[] {
  const tickets = lives.filter(({ key }) => key.startsWith(folder));
  return operations.flatMap(({ call, outcome, client, input }) => {
    if (call !== 'transfer' || outcome !== 'ok') return [];
    const to = tickets.find(({ key }) => key === textOf(input, 'to'));
    const leader = tickets.find(({ createRevision }) => createRevision === numberOf(input, 'token'));
    if (!to || !leader || to.deleteRevision <= leader.deleteRevision) return [];
    const between = tickets.find(
      ({ createRevision, deleteRevision }) =>
        leader.createRevision < createRevision &&
        createRevision < to.createRevision &&
        deleteRevision > leader.deleteRevision,
    );
    if (!between) return [];
    const what = `${client} has handed over to ${to.key} at revision ${leader.deleteRevision}, and ${between.key} stands before it`;
    return [{ rule: 'I7', what }];
  });
}
