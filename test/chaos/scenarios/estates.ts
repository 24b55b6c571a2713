import { textOf } from '../../history/facts.js';
import { type Life, livesOf } from '../../history/lives.js';
import { notesOf } from '../../history/record.js';
import { type Evidence, nemesis } from '../../workload/workload.js';

/** What a client that was killed has left in the store, to the end of its lease. */
export interface Estate {
  readonly process: string;
  readonly diedAt: number;
  readonly ticket: Life;
}

/** The tickets that stood below a folder of the namespace when those whose they were died. */
export function estatesIn({ entries, changes, namespace }: Evidence, folder: string): Estate[] {
  const tickets = livesOf(changes).filter(
    ({ key, lease }) => key.startsWith(`${namespace}/${folder}`) && lease !== '0',
  );
  return deathsIn(entries).flatMap(({ process, diedAt }) =>
    tickets
      .filter((each) => each.createdAt < diedAt && diedAt < each.deletedAt && ownerOf(each) === process)
      .map((ticket) => ({ process, diedAt, ticket })),
  );
}

/** Of client processes. */
export function deathsIn(
  entries: Evidence['entries'],
): { readonly process: string; readonly diedAt: number }[] {
  return notesOf(entries)
    .filter(({ client, what }) => client === nemesis && what === 'died')
    .map(({ facts, at }) => ({ process: textOf(facts, 'process'), diedAt: at }));
}

/** How long it stood after the death, by lease. */
export function agesOf(estates: readonly Estate[]): number[] {
  const byLease = new Map(estates.map(({ ticket, diedAt }) => [ticket.lease, ticket.deletedAt - diedAt]));
  return [...byLease.values()];
}

/** The process, whichever desk of it. */
function ownerOf({ forms }: Life): string | undefined {
  return /"holder":\{"name":"(c\d+\.\d+)/.exec(forms[0]?.value ?? '')?.[1];
}
