/** Which member each shard belongs to, by its number; undefined: to nobody yet. */
export type Assignment = readonly (string | undefined)[];

/**
 * Divides shards evenly, so that nobody has two more than another, and moves as few as that takes: whoever is there keeps
 * what it has, up to its share; what is beyond, and what belonged to somebody who has gone, goes to those who have least. Pure.
 *
 * From one even division to the next no more than ceil(shards / members) move when one member comes or goes, which hashing by
 * rendezvous does not promise.
 *
 * @param members without repetition; of those who have equally few the first gets more
 */
export function assign(shards: number, before: Assignment, members: readonly string[]): Assignment {
  if (members.length === 0) return Array.from({ length: shards }, () => undefined);
  const shares = sharesOf(shards, before, members);
  const counts = new Map(members.map((member) => [member, 0]));
  const kept = Array.from({ length: shards }, (_, shard) => {
    const owner = before[shard];
    const count = owner === undefined ? undefined : counts.get(owner);
    if (owner === undefined || count === undefined || count >= (shares.get(owner) ?? 0)) return undefined;
    counts.set(owner, count + 1);
    return owner;
  });
  const poorest = byNeed(counts);
  return kept.map((owner) => owner ?? poorest.next().value);
}

/** How many each may keep. If they do not come out even some may have one more: those who have that already. */
function sharesOf(shards: number, before: Assignment, members: readonly string[]): Map<string, number> {
  const share = Math.floor(shards / members.length);
  let left = shards % members.length;
  const shares = new Map(members.map((member) => [member, share]));
  const counts = new Map<string, number>();
  for (const owner of before) if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  for (const member of members) {
    if (left === 0) break;
    if ((counts.get(member) ?? 0) <= share) continue;
    shares.set(member, share + 1);
    left--;
  }
  return shares;
}

/** Who is to get the next one, for ever: always one of those who have least. */
function* byNeed(counts: ReadonlyMap<string, number>): Generator<string, never, undefined> {
  const byCount: string[][] = [];
  for (const [member, count] of counts) (byCount[count] ??= []).push(member);
  for (let count = 0; ; count++) {
    const now = byCount[count] ?? [];
    yield* now;
    byCount[count + 1] = [...now, ...(byCount[count + 1] ?? [])];
  }
}
