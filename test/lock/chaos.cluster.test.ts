import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { prefix } from '../../src/store/operations.js';
import type { StoreEvent } from '../../src/store/results.js';
import { Client, type News } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { figure, guardMs } from './fixture.js';
import { patience } from '../rig/patience.js';

const namespace = 'chaos';
const counter = 'counter'; // outside of the namespace, which must be empty in the end
const sessionTtlMs = 3_000;
const seconds = Number(process.env['CHAOS_SECONDS'] ?? 30);
const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);

let cluster: Cluster;
let observer: Conclave;

beforeAll(async () => {
  cluster = await Cluster.start({ members: 3 });
  observer = await connect({ endpoints: cluster.endpoints, namespace }); // only looks: has no session
});

afterAll(async () => {
  await observer.close();
  await cluster.dispose();
});

it(
  'nobody overlaps and no increment is lost while members and clients are killed and stopped',
  { timeout: seconds * 1_000 + 4 * guardMs },
  async () => {
    console.log(
      `seed ${seed}; to repeat: CHAOS_SEED=${seed} CHAOS_SECONDS=${seconds} npm run test:cluster -- chaos`,
    );
    const crowd = new Crowd();
    try {
      await crowd.fill();
      const faults = await torment(crowd, performance.now() + seconds * 1_000);
      await crowd.finish();
      const endedAt = performance.now();
      const { kvs } = await observer.store.get(counter);
      const value = Number(toText(kvs[0]!.value));
      const { acked, refused, unknown, grants, setbacks } = crowd.tally();
      figure('faults', JSON.stringify(faults));
      figure(
        'increments',
        `${acked.length} acknowledged, ${refused} refused, ${unknown} unknown, counter ${value}`,
      );
      figure('setbacks of clients', JSON.stringify(setbacks));

      expect(value).toBeGreaterThanOrEqual(acked.length);
      expect(value).toBeLessThanOrEqual(acked.length + unknown);
      expect(acked.length).toBeGreaterThan(20);
      expect(refused).toBeGreaterThan(0);
      for (const times of Object.values(faults)) expect(times).toBeGreaterThan(0);

      await untilEmpty();
      figure(`every key gone after the end, TTL ${sessionTtlMs} ms`, performance.now() - endedAt);
      expect(overlaps(await history(), [...grants, ...acked])).toEqual([]);
      expect(new Set(grants.map(({ token }) => token)).size).toBe(grants.length);
    } finally {
      await crowd.kill();
    }
  },
);

it('the same checks find what happens without the fence', { timeout: 2 * guardMs }, async () => {
  const crowd = new Crowd({ isFenced: false });
  try {
    await observer.store.remove(counter);
    await crowd.fill(2);
    await crowd.stopAtWrite(crowd.working[0]!);
    await vi.waitFor(
      () => expect(crowd.working[0]!.news.at(-1)).not.toMatchObject({ event: 'trying' }),
      patience,
    );
    await crowd.finish();
    const { acked, grants } = crowd.tally();
    expect(overlaps(await history(), [...grants, ...acked])).not.toEqual([]);
    const { kvs } = await observer.store.get(counter);
    expect(Number(toText(kvs[0]!.value))).toBeLessThan(acked.length);
  } finally {
    await crowd.kill();
  }
});

interface Mark {
  readonly token: bigint;
  readonly revision: bigint;
}

interface Tally {
  readonly acked: Mark[];
  /** Writes that the store refused since their lock had gone to somebody else. */
  readonly refused: number;
  readonly unknown: number;
  readonly grants: Mark[];
  readonly setbacks: Record<string, number>;
}

/** Six clients that add to one counter under one lock, each in a process of its own. */
class Crowd {
  readonly #all: Client[] = [];
  #working: Client[] = [];

  readonly #isFenced: boolean;

  constructor({ isFenced = true } = {}) {
    this.#isFenced = isFenced;
  }

  get working(): readonly Client[] {
    return this.#working;
  }

  async fill(size = 6): Promise<void> {
    while (this.#working.length < size) {
      const options = { endpoints: cluster.endpoints, namespace, sessionTtlMs, dialTimeoutMs: 20_000 };
      const client = await Client.connect(options);
      this.#all.push(client);
      this.#working.push(client);
      await client.call('work', { place: 'line', counter, isFenced: this.#isFenced });
    }
  }

  async killOne(client: Client): Promise<void> {
    this.#working = this.#working.filter((each) => each !== client);
    await client.kill();
  }

  /** Stops a client between its look at the counter and its write, until others have held the lock. */
  async stopAtWrite(client: Client): Promise<void> {
    const others = this.#working.filter((each) => each !== client);
    const acked = (): number =>
      others.flatMap(({ news }) => news).filter(({ event }) => event === 'acked').length;
    await client.call('stopAtNextWrite');
    await client.stopped(guardMs);
    const before = acked();
    await vi.waitFor(() => expect(acked()).toBeGreaterThan(before), { timeout: guardMs });
    client.signal('SIGCONT');
  }

  /** Lets everybody finish, close, and end by itself. */
  async finish(): Promise<void> {
    await Promise.all(
      this.#working.map(async (client) => {
        await client.call('stopWorking');
        await client.told('idle');
        client.signal('SIGTERM');
        expect({ ...(await client.ended), errors: client.errors }).toMatchObject({ code: 0, errors: '' });
      }),
    );
  }

  async kill(): Promise<void> {
    await Promise.all(this.#all.map((client) => client.kill()));
  }

  tally(): Tally {
    const news = this.#all.flatMap((client) => client.news);
    const of = (event: string): News[] => news.filter((each) => each.event === event);
    const marks = (event: string): Mark[] =>
      of(event).map(({ token, revision }) => ({
        token: BigInt(String(token)),
        revision: BigInt(String(revision)),
      }));
    const setbacks: Record<string, number> = {};
    for (const { failure } of of('setback')) {
      const { code = 'bug', message } = failure as { code?: string; message: string };
      setbacks[code] = (setbacks[code] ?? 0) + 1;
      if (code === 'bug') throw new Error(`a client met an error that is none of ours: ${message}`);
    }
    const acked = marks('acked');
    const refused = of('refused').length;
    const unknown = of('trying').length - acked.length - refused - of('unsent').length;
    return { acked, refused, unknown, grants: marks('granted'), setbacks };
  }
}

/** One fault after the other, drawn by chance; at most one member is away at a time, and all is well again at the end. */
async function torment(crowd: Crowd, until: number): Promise<Record<string, number>> {
  const random = randomFrom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const faults = {
    'client killed': async () => crowd.killOne(pick(crowd.working)),
    'client stopped past its TTL': async () => {
      await crowd.stopAtWrite(pick(crowd.working));
    },
    'client stopped for a moment': async () => {
      const client = pick(crowd.working);
      client.signal('SIGSTOP');
      await delay(1_000 * random());
      client.signal('SIGCONT');
    },
    'member killed': async () => {
      const member = Math.floor(3 * random());
      await cluster.kill(member);
      await delay(1_000 * random());
      await cluster.restart(member);
    },
    'member stopped': async () => {
      const member = Math.floor(3 * random());
      cluster.stop(member);
      await delay(500 + 2_500 * random());
      cluster.cont(member);
      await cluster.healthy();
    },
  };
  const names = Object.keys(faults) as (keyof typeof faults)[];
  const counts = Object.fromEntries(names.map((name) => [name, 0]));
  // Each kind at least once, then as they come.
  const first = [...names].sort(() => random() - 0.5);
  while (first.length > 0 || performance.now() < until) {
    const name = first.pop() ?? pick(names);
    await faults[name]();
    counts[name]! += 1;
    await crowd.fill();
    await delay(500 * random());
  }
  return counts;
}

/** Every event of the line's prefix since the store began. */
async function history(): Promise<StoreEvent[]> {
  const { header } = await observer.store.put('end of history', '');
  const events: StoreEvent[] = [];
  for await (const notice of observer.store.watch(prefix(''), { startRevision: 1n })) {
    if (notice.kind !== 'events') continue;
    events.push(...notice.events.filter(({ kv }) => toText(kv.key).startsWith(`${namespace}/lock/line/`)));
    if (notice.revision >= header.revision) break;
  }
  return events;
}

/** Replays the line. What was done at a revision at which its author was not the oldest in line. */
function overlaps(events: readonly StoreEvent[], marks: readonly Mark[]): Mark[] {
  const reigns = reignsOf(events);
  const turns = [...reigns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, reign]) => reign);
  for (const [i, { from }] of turns.entries())
    if (i > 0) expect(from).toBeGreaterThanOrEqual(turns[i - 1]!.to);
  return marks.filter(({ token, revision }) => {
    const reign = reigns.get(token);
    return !reign || revision < reign.from || revision >= reign.to;
  });
}

/** From which revision on, and up to which one, each ticket was the oldest. */
function reignsOf(events: readonly StoreEvent[]): Map<bigint, { from: bigint; to: bigint }> {
  const line = new Map<string, bigint>();
  const reigns = new Map<bigint, { from: bigint; to: bigint }>();
  let oldest: bigint | undefined;
  for (let i = 0; i < events.length;) {
    const revision = events[i]!.kv.modRevision;
    for (; events[i]?.kv.modRevision === revision; i++) {
      const { type, kv } = events[i]!;
      if (type === 'delete') line.delete(toText(kv.key));
      else line.set(toText(kv.key), kv.createRevision);
    }
    const now = [...line.values()].sort((a, b) => (a < b ? -1 : 1))[0];
    if (now === oldest) continue;
    if (oldest !== undefined) reigns.get(oldest)!.to = revision;
    if (now !== undefined) reigns.set(now, { from: revision, to: 2n ** 63n });
    oldest = now;
  }
  return reigns;
}

async function untilEmpty(): Promise<void> {
  await vi.waitFor(
    async () => {
      const { kvs } = await observer.store.get(prefix(`${namespace}/`), { keysOnly: true });
      expect(kvs.map(({ key }) => toText(key))).toEqual([]);
    },
    { timeout: 20 * sessionTtlMs, interval: 100 },
  );
}

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
