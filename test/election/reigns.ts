import type { Observation } from '../../src/election/election.js';
import { formAt, type Life, never } from '../rig/history.js';

/** What anybody may see from one revision on, until the next: who leads, with what value; or that nobody does. */
export interface Reign {
  readonly from: bigint;
  readonly leader:
    { readonly key: string; readonly fencingToken: bigint; readonly value: string } | undefined;
}

/** The one sequence of leaders and gaps that the history of an election's tickets tells. */
export function reignsIn(lives: readonly Life[]): Reign[] {
  const ends = lives.map(({ to }) => to).filter((to) => to < never);
  const puts = lives.flatMap(({ forms }) => forms.map(({ from }) => from));
  const revisions = [...new Set([...puts, ...ends])].sort((a, b) => (a < b ? -1 : 1));
  const reigns: Reign[] = [{ from: 0n, leader: undefined }];
  for (const from of revisions) {
    const leader = leaderAt(lives, from);
    const last = reigns.at(-1)?.leader;
    if (leader?.fencingToken !== last?.fencingToken || leader?.value !== last?.value)
      reigns.push({ from, leader });
  }
  return reigns;
}

/** Which of the reigns each observation shows, in the order of the observations; undefined if none does. */
export function placesOf(
  observations: readonly Observation[],
  reigns: readonly Reign[],
): (number | undefined)[] {
  return observations.map(({ leader, revision }) => {
    const place = reigns.findLastIndex(({ from }) => from <= revision);
    const real = reigns[place]?.leader;
    const isReal = ['key', 'fencingToken', 'value'].every(
      (field) => real?.[field as keyof typeof real] === leader?.[field as keyof typeof leader],
    );
    return isReal ? place : undefined;
  });
}

function leaderAt(lives: readonly Life[], revision: bigint): Reign['leader'] {
  let oldest: Life | undefined;
  for (const life of lives) {
    if (life.createRevision > revision || life.to <= revision) continue;
    if (!oldest || life.createRevision < oldest.createRevision) oldest = life;
  }
  if (!oldest) return undefined;
  const { value } = JSON.parse(formAt(oldest, revision)!.value) as { value: string };
  return { key: oldest.key, fencingToken: oldest.createRevision, value };
}
