import { expect, it } from 'vitest';
import { type Conclave, type Hold, isConclaveError, prefix, put } from '../../src/index.js';
import { Random, World } from '../../src/testing/index.js';
import { Dice } from '../lock/fuzz/dice.js';
import { outcome } from '../lock/observe.js';
import { disturb, mend } from './disturb.js';
import { moves, ShardJudge, spread } from './shard-judge.js';

const defaultSeeds = 3;
const seeds = Number(process.env['CONCLAVE_FUZZ_SEEDS'] ?? defaultSeeds);
const from = Number(process.env['CONCLAVE_FUZZ_FROM'] ?? 1);
const steps = 80;
const shards = 7;

/** What has happened over all seeds: a fuzz that never gets anywhere finds nothing. */
const counts = {
  ran: 0,
  lost: 0,
  handedOver: 0,
  returned: 0,
  written: 0,
  refused: 0,
  crashed: 0,
  stopped: 0,
};

/** A process that takes part. */
class Party {
  readonly client: Conclave;
  readonly ended: Promise<unknown>;
  readonly #stop = new AbortController();
  readonly #running = new Map<Hold, () => void>();
  readonly #judge: ShardJudge;
  readonly #dice: Dice;

  constructor(client: Conclave, judge: ShardJudge, dice: Dice, violations: string[]) {
    this.client = client;
    this.#judge = judge;
    this.#dice = dice;
    const onError = (error: unknown): void => void violations.push(`onError: ${String(error)}`);
    const { signal } = this.#stop;
    const options = { signal, pauseMs: 200, drainTimeoutMs: 60_000, onError };
    this.ended = outcome(client.group('g').shards(shards).run(this.#work, options));
  }

  get owned(): number {
    return [...this.#running.keys()].filter((hold) => hold.isHeld()).length;
  }

  /** Writes in the name of a shard that it has, or had when it was asked. */
  write(): void {
    const [hold] = [...this.#running.keys()].slice(Math.floor(this.#dice.below(this.#running.size)));
    if (!hold) return;
    const shard = decodeURIComponent(hold.key).split('/')[4] ?? '';
    hold.commit([put(`app/${shard}`, String(hold.fencingToken))]).then(
      () => counts.written++,
      (error: unknown) => {
        if (!isConclaveError(error)) throw error;
        counts.refused++;
      },
    );
  }

  /** The work on one of its shards ends; `all`: on each. */
  finish(all = false): void {
    const ends = [...this.#running.values()];
    for (const end of all ? ends : ends.slice(0, 1)) end();
  }

  stop(): Promise<unknown> {
    this.#stop.abort('enough');
    return this.ended;
  }

  readonly #work = (shard: number, hold: Hold): Promise<void> =>
    this.#judge.during(shard, hold.fencingToken, async () => {
      counts.ran++;
      await new Promise<void>((resolve) => {
        this.#running.set(hold, resolve);
        // Most stop as soon as they are told, others take their time.
        if (!this.#dice.oneIn(4)) hold.signal.addEventListener('abort', () => resolve());
      });
      this.#running.delete(hold);
      if (!hold.signal.aborted) counts.returned++;
      else if (isConclaveError(hold.signal.reason, 'HOLD_LOST')) counts.lost++;
      else if (String(hold.signal.reason).includes('another member')) counts.handedOver++;
    });
}

interface Play {
  /** What is done to the store behind the library's back, now and then. */
  readonly meddle?: (world: World, judge: ShardJudge) => Promise<unknown>;
}

async function fuzz(seed: number, { meddle }: Play = {}): Promise<readonly string[]> {
  const violations: string[] = [];
  await using world = await World.open({ seed });
  world.allowKeys('conclave/shards/g');
  world.allowKeys('app/');
  const dice = new Dice(new Random(seed));
  const judge = new ShardJudge(world);
  let number = 0;
  const start = async (): Promise<Party> => {
    const client = await world.client({ sessionTtlMs: 3_000 });
    return new Party(client, judge, dice.split(++number), violations);
  };
  await world.settle();
  const parties = [await start(), await start(), await start()];
  for (let step = 0; step < steps; step++) {
    await world.advance(dice.below(700));
    const party = dice.pick(parties);
    if (dice.oneIn(2)) await disturb(world, dice, party.client, seed % 3 === 0);
    const roll = dice.below(20);
    if (roll < 8) party.write();
    else if (roll < 12) party.finish(dice.oneIn(3));
    else if (roll < 13 && parties.length > 1) {
      parties.splice(parties.indexOf(party), 1);
      void party.stop().then(() => counts.stopped++);
      mend(world, [party.client]);
      party.finish(true);
    } else if (roll < 13.4) {
      counts.crashed++;
      world.crash(party.client);
      parties.splice(parties.indexOf(party), 1, await start());
    } else if (roll < 15 && parties.length < 5) parties.push(await start());
    if (step % 10 === 0) await meddle?.(world, judge);
  }

  mend(
    world,
    parties.map(({ client }) => client),
  );
  for (let i = 0; i < 12; i++) {
    for (const party of parties) party.finish(true);
    await world.advance(5_000);
  }
  const expectQuiet = (what: string): void => {
    const plan = judge.plans.at(-1) ?? [];
    const members = [...new Set(plan)].filter((id) => id !== undefined);
    const owned = parties.map((party) => party.owned);
    const all = owned.reduce((sum, count) => sum + count, 0);
    if (judge.owned !== shards || all !== shards)
      violations.push(`${what}: ${String(owned)} of ${shards} are owned`);
    if (members.length !== Math.min(shards, parties.length))
      violations.push(`${what}: planned for ${String(members)}`);
    if (spread(plan, members) > 1 || Math.max(...owned) - Math.min(...owned) > 1)
      violations.push(`${what}: uneven, ${String(owned)}`);
  };
  expectQuiet('in the end');
  // Changes one at a time: one plan each, and no more moved than a share.
  const change = async (what: string, members: number, doing: () => Promise<unknown>): Promise<void> => {
    const { length } = judge.plans;
    await doing();
    for (let i = 0; i < 6; i++) {
      await world.advance(500);
      for (const party of parties) party.finish(true);
    }
    await world.advance(1_000);
    const [before = [], after = [], ...others] = judge.plans.slice(length - 1);
    if (others.length > 0) violations.push(`${what}: ${1 + others.length} plans`);
    if (moves(before, after) > Math.ceil(shards / members))
      violations.push(`${what}: ${moves(before, after)} moved`);
    expectQuiet(what);
  };
  await change('one comes', parties.length + 1, async () => parties.push(await start()));
  const [leaving] = parties;
  await change('one goes', parties.length, async () => {
    parties.shift();
    const stopped = leaving?.stop();
    leaving?.finish(true);
    await world.run(Promise.resolve(stopped));
  });
  violations.push(...judge.wrong);
  for (const party of parties) {
    const stopped = party.stop();
    party.finish(true);
    const end = await world.run(stopped);
    if (end !== undefined) violations.push(`run ended with ${JSON.stringify(end)}`);
  }
  return violations;
}

it(
  `shards keep their promises under all faults at once, from seed ${from} on, ${seeds} times`,
  { timeout: 30_000 + seeds * 5_000 },
  async () => {
    const failures: string[] = [];
    for (let seed = from; seed < from + seeds && failures.length < 3; seed++) {
      const violations = await fuzz(seed).catch((error: unknown) => [String(error)]);
      const command = `CONCLAVE_FUZZ_FROM=${seed} CONCLAVE_FUZZ_SEEDS=1 npm run test:unit -- membership/shards-fuzz`;
      if (violations.length > 0)
        failures.push([`seed ${seed}; to repeat: ${command}`, ...violations].join('\n'));
    }
    if (process.env['CONCLAVE_FUZZ_SEEDS']) console.log(counts);
    expect(failures.join('\n\n')).toBe('');
    if (seeds < defaultSeeds) return;
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  },
);

const lineOf = (shard: number): string => `conclave/lock/g%2Fshards%2F${shard}/`;

it.each<readonly [string, NonNullable<Play['meddle']>, RegExp]>([
  [
    'a shard that is given back while its work runs',
    async ({ store }) => {
      const { kvs } = await store.get(prefix(lineOf(3)), { sort: ['create', 'ascend'], limit: 1 });
      for (const { key } of kvs) await store.remove(key);
    },
    /was given back while/,
  ],
  [
    'a write of an owner that was overtaken',
    ({ store }) => store.put('app/3', '1'),
    /was written by 1, overtaken/,
  ],
])('%s would be found', async (_, meddle, objection) => {
  const found = [...(await fuzz(1, { meddle })), ...(await fuzz(2, { meddle }))];
  expect(found.some((each) => objection.test(each))).toBe(true);
});
