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
  readonly lease: bigint;
}

const lines = 'conclave/lock/g%2Fshards%2F';

/**
 * Who owns the shards of the group `g`, who has written in their names, and every plan there was, as the store itself has
 * told: what must not be is written down.
 */
export class ShardJudge {
  readonly plans: Plan[] = [];
  readonly wrong: string[] = [];
  /** The callbacks that run, by their tokens. */
  readonly #running = new Map<bigint, number>();
  readonly #lines = new Map<number, Standing[]>();
  readonly #tokens = new Map<string, bigint>();

  constructor({ store }: World) {
    store.listen(
      prefix(''),
      {},
      { created: () => {}, ended: () => {}, events: (_, events) => this.#hear(events) },
    );
  }

  /** The fencing token of whoever owns it. */
  ownerOf(shard: number): bigint | undefined {
    return this.#lines.get(shard)?.[0]?.createRevision;
  }

  /** How many are owned by somebody. */
  get owned(): number {
    return [...this.#lines.values()].filter((line) => line.length > 0).length;
  }

  /** Brackets a callback: it may begin only when it owns the shard, and must not be overtaken while it runs. */
  async during(shard: number, token: bigint, work: () => Promise<void>): Promise<void> {
    if (this.#running.has(token)) this.wrong.push(`${token} runs twice`);
    const owner = this.ownerOf(shard) ?? token;
    // Later: it has been lost already, which its owner may learn a little later.
    if (owner < token) this.wrong.push(`shard ${shard} is worked on by ${token}, and owned by ${owner}`);
    this.#running.set(token, shard);
    await work();
    this.#running.delete(token);
  }

  #hear(events: readonly StoreEvent[]): void {
    const ended = new Set(
      events.filter(({ type }) => type === 'delete').map(({ kv }) => sessionIn(toText(kv.key))),
    );
    for (const event of events) {
      const key = toText(event.kv.key);
      if (key === 'conclave/shards/g') this.plans.push(readStoredPlan(toText(event.kv.value)));
      else if (key.startsWith(lines)) this.#line(key, event, ended);
      else if (key.startsWith('app/')) this.#write(key, BigInt(toText(event.kv.value)));
    }
  }

  #line(key: string, { type, kv }: StoreEvent, ended: ReadonlySet<string | undefined>): void {
    const shard = Number(key.slice(lines.length).split('/')[0]);
    const line = this.#lines.get(shard) ?? [];
    this.#lines.set(shard, line);
    if (type === 'put') {
      line.push({ key, createRevision: kv.createRevision, lease: kv.lease });
      return;
    }
    const [gone] = line.splice(
      line.findIndex((ticket) => ticket.key === key),
      1,
    );
    if (gone && this.#running.has(gone.createRevision) && !ended.has(gone.lease.toString(16)))
      this.wrong.push(`shard ${shard} was given back while ${gone.createRevision} works on it`);
  }

  #write(key: string, token: bigint): void {
    if (token < (this.#tokens.get(key) ?? 0n)) this.wrong.push(`${key} was written by ${token}, overtaken`);
    this.#tokens.set(key, token);
  }
}

/** The lease of a session, in hex, if it is its key. */
function sessionIn(key: string): string | undefined {
  return /^conclave\/session\/([0-9a-f]+)$/.exec(key)?.[1]?.replace(/^0+/, '');
}
