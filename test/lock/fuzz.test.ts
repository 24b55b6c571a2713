import { describe, expect, it } from 'vitest';
import { Random, World } from '../../src/testing/index.js';
import { fuzz, type FuzzResult } from './fuzz.js';
import { FuzzClient } from './fuzz/client.js';
import { Counter, type Way } from './fuzz/counter.js';
import { Dice } from './fuzz/dice.js';
import { Sightings } from './fuzz/sightings.js';

const defaultSeeds = 80;
const seeds = Number(process.env['CONCLAVE_FUZZ_SEEDS'] ?? defaultSeeds);
const from = Number(process.env['CONCLAVE_FUZZ_FROM'] ?? 1);
const secondsPerSeed = 5;

/** What went wrong, how to see it again, and the end of what happened. */
function describeFailure(seed: number, { violations, timeline }: FuzzResult): string {
  const command = `CONCLAVE_FUZZ_FROM=${seed} CONCLAVE_FUZZ_SEEDS=1 npx vitest run --project unit test/lock/fuzz.test.ts`;
  return [`seed ${seed}; to repeat: ${command}`, ...violations, 'the latest events:', ...timeline].join('\n');
}

describe('a mutex under all faults at once', () => {
  it(
    `keeps its promises from seed ${from} on, ${seeds} times, and comes to where it gets interesting`,
    { timeout: 30_000 + seeds * secondsPerSeed * 1_000 },
    async () => {
      using sightings = new Sightings();
      const failures: string[] = [];
      let longestRecoveryMs = 0;
      for (let seed = from; seed < from + seeds && failures.length < 3; seed++) {
        const result = await fuzz({ seed, sightings });
        longestRecoveryMs = Math.max(longestRecoveryMs, result.recoveryMs);
        if (result.violations.length > 0) failures.push(describeFailure(seed, result));
      }
      if (process.env['CONCLAVE_FUZZ_SEEDS']) console.log({ longestRecoveryMs, counts: sightings.counts });
      expect(failures.join('\n\n')).toBe('');
      if (seeds >= defaultSeeds) expect(sightings.missing).toEqual([]);
    },
  );

  it.each([1, 2, 3])('goes the same way again for the same seed: %i', async (seed) => {
    using sightings = new Sightings();
    const first = await fuzz({ seed, sightings });
    const second = await fuzz({ seed, sightings });
    expect(second.traceHash).toBe(first.traceHash);
    expect((await fuzz({ seed: seed + 1, sightings })).traceHash).not.toBe(first.traceHash);
  });
});

/** What the checks themselves are worth. */
describe('the checks of the fuzz', () => {
  it('find it when programs write without guards', { timeout: 60_000 }, async () => {
    using sightings = new Sightings();
    const found: string[] = [];
    for (let seed = 1; seed <= 20 && found.length === 0; seed++)
      found.push(...(await fuzz({ seed, sightings, isUnguarded: true })).violations);
    expect(found).toContainEqual(expect.stringContaining('a write with token'));
  });

  it('find a client that writes unguarded after it has lost its hold', async () => {
    const found = await afterLoss('unguarded');
    expect(found).toContainEqual(
      expect.stringMatching(/^revision \d+: a write with token \d+ after one with \d+$/),
    );
  });

  it('have nothing against one that keeps its guard', async () => {
    expect(await afterLoss('guard')).toEqual([]);
  });
});

/** A client is cut off until another one has its lock and has written; then it writes, too. */
async function afterLoss(way: Way): Promise<readonly string[]> {
  await using world = await World.open();
  const violations: string[] = [];
  const counter = new Counter(world, (violation) => violations.push(violation));
  const [stale, other] = [1, 2].map((seed) => new FuzzClient(world, new Dice(new Random(seed)))) as [
    FuzzClient,
    FuzzClient,
  ];
  const lost = await stale.conclave.mutex('m').acquire();
  const guard = lost.guard();
  world.partition(stale.peer);
  const hold = await world.run(other.conclave.mutex('m').acquire());
  await counter.increment(other, hold, { guard: hold.guard(), way: 'commit' });
  world.heal(stale.peer);
  await world.advance(15_000);
  await counter.increment(stale, lost, { guard, way });
  await counter.check();
  await Promise.all([stale, other].map((client) => client.close()));
  return violations;
}
