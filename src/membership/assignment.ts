/** Which member each shard belongs to, by its number; undefined: to nobody yet. */
export type Assignment = readonly (string | undefined)[];

/**
 * Divides shards among members so that as few as possible move: whoever is there keeps what it has, up to its share, the
 * number of shards by that of members, rounded up; what is beyond, and what belonged to somebody who has gone, goes to those who
 * have least. Pure.
 *
 * No more than ceil(shards / members) + 1 move when one member comes or goes, which hashing by rendezvous does not promise.
 *
 * @param members without repetition; of those who have equally few the first gets more
 */
export function assign(shards: number, before: Assignment, members: readonly string[]): Assignment {
  if (members.length === 0) return Array.from({ length: shards }, () => undefined);
  const share = Math.ceil(shards / members.length);
  const counts = new Map(members.map((member) => [member, 0]));
  const kept = Array.from({ length: shards }, (_, shard) => {
    const owner = before[shard];
    const count = owner === undefined ? undefined : counts.get(owner);
    if (owner === undefined || count === undefined || count >= share) return undefined;
    counts.set(owner, count + 1);
    return owner;
  });
  const poorest = byNeed(counts);
  return kept.map((owner) => owner ?? poorest.next().value);
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
