import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { toText } from '../../src/base/bytes.js';
import type { Conclave } from '../../src/conclave.js';
import { connect } from '../../src/connect.js';
import { prefix } from '../../src/store/operations.js';
import { Random } from '../../src/testing/random.js';
import { Client } from '../rig/client.js';
import { Cluster } from '../rig/cluster.js';
import { figure } from '../rig/figure.js';
import { Recorder } from '../rig/history.js';
import { guardMs } from '../rig/patience.js';

const parties = 8;
const sessionTtlMs = 2_000;
const seconds = Number(process.env['CHAOS_SECONDS'] ?? 25);
const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
/** Of each of two barriers. */
const rounds = 2 * seconds;
const killEvery = 5;
const wait = { timeout: guardMs, interval: 25 };

let cluster: Cluster;
let conclave: Conclave;
let recorder: Recorder;

beforeAll(async () => {
  cluster = await Cluster.start({ members: 3 });
  conclave = await connect({ endpoints: cluster.endpoints });
  recorder = new Recorder(conclave);
});

afterAll(async () => {
  await recorder[Symbol.asyncDispose]();
  await conclave.close();
  await cluster.dispose();
});

/** When the one is killed. */
const allMoments = ['before it has come', 'while it waits', 'unseen', 'inside', 'while it leaves'] as const;

/** Some parties in one process. */
interface Group {
  readonly client: Client;
  readonly count: number;
}

interface Inside {
  readonly code?: undefined;
  readonly key: string;
  readonly round: string;
  readonly index: number;
  /** Read after it had passed. */
  readonly revision: string;
}

interface Refused {
  readonly code: string;
  /** Of a party that is gone. */
  readonly key?: string;
}

type Left = Refused | { readonly code?: undefined; readonly key: string };

/** A double barrier of eight, of whom one is killed again and again. */
class Scene {
  /** All who have passed. */
  readonly passes: Inside[] = [];
  readonly counts: Record<string, number> = {};
  readonly #name: string;
  readonly #random: Random;
  readonly #steady: readonly Group[];
  #victim: Group;
  #spare: Promise<Client>;

  constructor(name: string, random: Random, steady: readonly Group[], victim: Client) {
    this.#name = name;
    this.#random = random;
    this.#steady = steady;
    this.#victim = { client: victim, count: 1 };
    this.#spare = newClient();
  }

  get prefix(): string {
    return `conclave/double-barrier/${this.#name}/`;
  }

  async play(): Promise<void> {
    // Each kind as often, in an order of chance.
    const moments = [...allMoments]
      .map((moment) => ({ moment, place: this.#random.next() }))
      .sort((a, b) => a.place - b.place);
    for (let round = 1; round <= rounds; round++) {
      const isClean = round % killEvery !== 0;
      const what = isClean ? 'nobody' : moments[(round / killEvery) % moments.length]!.moment;
      this.counts[what] = (this.counts[what] ?? 0) + 1;
      if (what === 'before it has come') await this.#kill();
      if (what === 'while it waits') await this.#killWaiting();
      else if (what === 'unseen') await this.#killUnseen();
      else if (what === 'inside') await this.#killInside();
      else if (what === 'while it leaves') await this.#killLeaving();
      else await this.#pass();
    }
  }

  /** Who comes when all who have died are gone finds whatever they have left behind. */
  async clean(): Promise<void> {
    await this.#until('in/', 0);
    await vi.waitFor(
      async () => expect((await this.#keys('leave/')).filter((key) => key.includes('/in/'))).toEqual([]),
      wait,
    );
    await this.#pass();
    await this.#until('', 0);
  }

  async end(): Promise<void> {
    await this.#victim.client.kill();
    await (await this.#spare).kill();
  }

  /** All enter, and all leave. */
  async #pass(): Promise<void> {
    const inside = this.#allInside(await this.#enter([...this.#steady, this.#victim]), parties);
    expect(await this.#leave([...this.#steady, this.#victim], inside)).toEqual(
      inside.map(({ key }) => ({ key })),
    );
  }

  /** It is gone before the last have come: those who wait are told. */
  async #killWaiting(): Promise<void> {
    const dead = await this.#enterVictim();
    const [some] = this.#steady;
    const entering = this.#enter([some!]);
    await this.#until('in/', 1 + some!.count);
    await this.#kill();
    this.#allBroken(await entering, dead);
  }

  /** Its ticket still stands when the last come: all are inside, and find out when they leave. Or it is as above. */
  async #killUnseen(): Promise<void> {
    const dead = await this.#enterVictim();
    const killing = this.#kill();
    const entered = await this.#enter(this.#steady, 10 * sessionTtlMs);
    await killing;
    if (entered.every((each) => each.code === undefined)) {
      const inside = this.#allInside(entered, parties - 1);
      this.#allBroken(await this.#leave(this.#steady, inside), dead);
    } else {
      // Whoever came after that was too late for that round.
      this.#allBroken(
        entered.filter(({ code }) => code !== 'WAIT_TIMEOUT'),
        dead,
      );
    }
  }

  async #killInside(): Promise<void> {
    const all = this.#allInside(await this.#enter([...this.#steady, this.#victim]), parties);
    const dead = all.at(-1)!.key;
    await this.#kill();
    this.#allBroken(await this.#leave(this.#steady, all.slice(0, -1)), dead);
  }

  /** It has left when it dies, but nobody may have seen that. */
  async #killLeaving(): Promise<void> {
    const all = this.#allInside(await this.#enter([...this.#steady, this.#victim]), parties);
    const dead = all.at(-1)!.key;
    this.#victim.client.call('leave', { keys: [dead] }).catch(() => {}); // it is going to be killed
    await this.#until('in/', parties - 1);
    await this.#kill();
    const left = await this.#leave(this.#steady, all.slice(0, -1));
    if (left.some(({ code }) => code !== undefined)) this.#allBroken(left, dead);
  }

  /** @returns its ticket */
  async #enterVictim(): Promise<string> {
    this.#enter([this.#victim]).catch(() => {}); // it is going to be killed
    const [key] = await this.#until('in/', 1);
    return key!;
  }

  /** SIGKILL; another one takes its place. */
  async #kill(): Promise<void> {
    await this.#victim.client.kill();
    this.#victim = { client: await this.#spare, count: 1 };
    this.#spare = newClient();
  }

  async #enter(groups: readonly Group[], timeoutMs?: number): Promise<(Inside | Refused)[]> {
    const entering = groups.map(({ client, count }) =>
      client.call<(Inside | Refused)[]>('enter', { name: this.#name, parties, count, timeoutMs }),
    );
    return (await Promise.all(entering)).flat();
  }

  async #leave(groups: readonly Group[], inside: readonly Inside[]): Promise<Left[]> {
    let next = 0;
    const leaving = groups.map(({ client, count }) => {
      const keys = inside.slice(next, (next += count)).map(({ key }) => key);
      return client.call<Left[]>('leave', { keys });
    });
    return (await Promise.all(leaving)).flat();
  }

  /** Resolves with the keys that stand there once there are so many. */
  async #until(folder: string, count: number): Promise<string[]> {
    return vi.waitFor(async () => {
      const keys = await this.#keys(folder);
      expect(keys).toHaveLength(count);
      return keys;
    }, wait);
  }

  async #keys(folder: string): Promise<string[]> {
    const { kvs } = await conclave.store.get(prefix(this.prefix + folder), { keysOnly: true });
    return kvs.map(({ key }) => toText(key));
  }

  #allInside(entered: readonly (Inside | Refused)[], count: number): Inside[] {
    expect(entered.filter(({ code }) => code !== undefined)).toEqual([]);
    const inside = entered.filter((each): each is Inside => each.code === undefined);
    expect(inside).toHaveLength(count);
    expect(new Set(inside.map(({ round }) => round)).size).toBe(1);
    expect(new Set(inside.map(({ index }) => index)).size).toBe(count);
    this.passes.push(...inside);
    return inside;
  }

  /** All were told the same: who is gone. */
  #allBroken(ends: readonly (Inside | Left)[], dead: string): void {
    expect(ends.length).toBeGreaterThan(0);
    expect(new Set(ends.map(({ code, key }) => `${code} ${key}`))).toEqual(
      new Set([`BROKEN_BARRIER ${dead}`]),
    );
  }
}

function newClient(): Promise<Client> {
  const client = Client.connect({ endpoints: cluster.endpoints, sessionTtlMs, dialTimeoutMs: 20_000 });
  client.catch(() => {}); // heard by whoever needs it
  return client;
}

it(
  'eight parties pass 100 rounds together though one is killed in every fifth, and all agree on what became of each',
  { timeout: 4 * seconds * 1_000 + 4 * guardMs },
  async () => {
    console.log(
      `seed ${seed}; to repeat: CHAOS_SEED=${seed} CHAOS_SECONDS=${seconds} npm run test:cluster -- double-barrier-chaos`,
    );
    const random = new Random(seed);
    const [four, three, ...victims] = await Promise.all(Array.from({ length: 4 }, () => newClient()));
    const steady = [
      { client: four!, count: 4 },
      { client: three!, count: 3 },
    ];
    const scenes = victims.map(
      (victim, i) => new Scene(`b${i}`, new Random(random.next() * 1e6), steady, victim),
    );
    try {
      const played = await Promise.allSettled(scenes.map((scene) => scene.play()));
      for (const each of played) if (each.status === 'rejected') throw each.reason;
      figure('killed', JSON.stringify(scenes.map(({ counts }) => counts)));
      for (const scene of scenes) {
        await expectTogether(scene);
        await scene.clean();
      }
    } finally {
      await Promise.all([...scenes.map((scene) => scene.end()), four!.kill(), three!.kill()]);
    }
  },
);

/** At the revision at which the last of a round had come, all of it were there; and nobody has passed before that. */
async function expectTogether({ prefix: start, passes }: Scene): Promise<void> {
  await recorder.catchUp();
  const tickets = recorder.livesBelow(`${start}in/`);
  const outcomes = recorder.livesBelow(`${start}out/`);
  expect(passes.length).toBeGreaterThan(0);
  for (const { key, round, revision } of passes) {
    const last = BigInt(round);
    const there = tickets.filter(({ createRevision, to }) => createRevision <= last && last < to);
    expect(there).toHaveLength(parties);
    expect(there.map((ticket) => ticket.key)).toContain(key);
    const outcome = outcomes.find((each) => each.key.endsWith(`/${last.toString(16).padStart(16, '0')}`));
    expect(outcome!.createRevision).toBeGreaterThan(last);
    expect(outcome!.createRevision).toBeLessThanOrEqual(BigInt(revision));
  }
}
