import { prefix, type StoreEvent, toText } from '../../src/index.js';
import type { World } from '../../src/testing/index.js';

/** Which member has which shard, by number, as stored. */
export type Plan = readonly (string | undefined)[];

/** @throws if it is none */
export function readStoredPlan(text: string): Plan {
  const { members, owners } = JSON.parse(text) as { members: string[]; owners: number[] };
  return owners.map((place) => members[place]);
}

/** How many shards are somebody else's. */
export function moves(before: Plan, after: Plan): number {
  return after.filter((owner, shard) => owner !== before[shard]).length;
}

/** By how much who has most has more than who has least. */
export function spread(plan: Plan, members: readonly string[]): number {
  const counts = new Map(members.map((member) => [member, 0]));
  for (const owner of plan) if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return Math.max(...counts.values()) - Math.min(...counts.values());
}

interface Standing {
  readonly key: string;
  readonly createRevision: bigint;
}

/** Who owns the shards of the group `g`, and every plan there was, as the store itself has told. */
export class ShardJudge {
  readonly plans: Plan[] = [];
  /** What must not be. */
  readonly wrong: string[] = [];
  readonly #lines = new Map<number, Standing[]>();

  constructor({ store }: World) {
    const listener = { created: () => {}, ended: () => {} };
    store.listen(
      prefix('conclave/lock/g%2Fshards%2F'),
      {},
      {
        ...listener,
        events: (_, events) => {
          for (const event of events) this.#hear(event);
        },
      },
    );
    store.listen(
      'conclave/shards/g',
      {},
      {
        ...listener,
        events: (_, events) => {
          for (const { kv } of events) this.plans.push(readStoredPlan(toText(kv.value)));
        },
      },
    );
  }

  /** The fencing token of whoever owns it. */
  ownerOf(shard: number): bigint | undefined {
    return this.#lines.get(shard)?.[0]?.createRevision;
  }

  #hear({ type, kv }: StoreEvent): void {
    const key = toText(kv.key);
    const shard = Number(key.split('%2F').at(-1)?.split('/')[0]);
    const line = this.#lines.get(shard) ?? [];
    this.#lines.set(shard, line);
    if (type === 'put') {
      if (kv.version > 1n) this.wrong.push(`${key} was written twice`);
      line.push({ key, createRevision: kv.createRevision });
      return;
    }
    const place = line.findIndex((ticket) => ticket.key === key);
    if (place >= 0) line.splice(place, 1);
  }
}
