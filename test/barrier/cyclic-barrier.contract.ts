import { describe, expect, it } from 'vitest';
import type { CyclicBarrier, Place, Trip } from '../../src/index.js';
import { linePrefix } from '../../src/base/keys.js';
import { places, Order, Stage, until } from '../lock/stage.js';
import { outcome } from '../lock/observe.js';
import type { Backend } from '../store/contract.js';

/** What a cyclic barrier promises, whatever it runs on. */
export function cyclicBarrierContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);

  describe.each(places)('a cyclic barrier %s', (_, newPlace) => {
    const at = (parties: number, place: Place = newPlace()) => {
      const start = linePrefix('conclave', 'cyclic-barrier', place);
      const count = async (): Promise<number> => (await stage.keysBelow(`${start}in/`)).length;
      return {
        one: stage.one.cyclicBarrier(place, { parties }),
        other: stage.other.cyclicBarrier(place, { parties }),
        untilIn: (wanted: number) => until(count, wanted),
        /** Nothing is left of it. */
        untilGone: () => until(async () => (await stage.keysBelow(start)).length, 0),
      };
    };
    const indices = (trips: readonly Trip[]): number[] => trips.map(({ index }) => index).sort();

    it('lets all go on when all have come, and tells each its place', async () => {
      const { one, other, untilIn, untilGone } = at(3);
      const order = new Order();
      const first = order.note('first', one.wait());
      await untilIn(1);
      const second = order.note('second', other.wait());
      await untilIn(2);
      expect(order.seen).toEqual([]);

      const trips = [await one.wait(), await first, await second];

      expect(trips.map(({ index }) => index)).toEqual([2, 0, 1]);
      expect(new Set(trips.map(({ round }) => round)).size).toBe(1);
      await untilGone();
    });

    it('goes on with the next round, in which tokens are larger, and leaves nothing', async () => {
      const { one, other, untilGone } = at(2);
      const run = async (barrier: CyclicBarrier): Promise<bigint[]> => {
        const rounds: bigint[] = [];
        for (let i = 0; i < 5; i++) rounds.push((await barrier.wait()).round);
        return rounds;
      };

      const [mine, others] = await Promise.all([run(one), run(other)]);

      expect(mine).toEqual(others);
      expect(mine).toEqual([...mine].sort((a, b) => (a < b ? -1 : 1)));
      expect(new Set(mine).size).toBe(5);
      await untilGone();
    });

    it('takes any number of parties of one process', async () => {
      const { one, untilGone } = at(4);
      expect(indices(await Promise.all([one.wait(), one.wait(), one.wait(), one.wait()]))).toEqual([
        0, 1, 2, 3,
      ]);
      await untilGone();
    });

    it('of one lets everybody through at once', async () => {
      const { one, untilGone } = at(1);
      expect(await one.wait({ timeoutMs: 0 })).toMatchObject({ index: 0 });
      await untilGone();
    });

    it('divides a crowd into rounds', async () => {
      const { one, other, untilGone } = at(3);
      const waits = Array.from({ length: 12 }, (_each, i) => (i % 2 ? one : other).wait());
      const trips = await Promise.all(waits);
      const rounds = new Map<bigint, number[]>();
      for (const { round, index } of trips) rounds.set(round, [...(rounds.get(round) ?? []), index].sort());
      expect([...rounds.values()]).toEqual([
        [0, 1, 2],
        [0, 1, 2],
        [0, 1, 2],
        [0, 1, 2],
      ]);
      await untilGone();
    });

    it('does not count who has given up', async () => {
      const { one, other, untilIn, untilGone } = at(2);
      const stop = new AbortController();
      const given = outcome(one.wait({ signal: stop.signal }));
      await untilIn(1);
      stop.abort('enough');
      expect(await given).toBe('enough');
      await untilGone();
      const waiting = other.wait();
      await untilIn(1);
      expect(await outcome(one.wait({ timeoutMs: 0 }))).toMatchObject({ index: 1 });
      expect(await waiting).toMatchObject({ index: 0 });
      expect(await outcome(other.wait({ timeoutMs: 0 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
      expect(await outcome(other.wait({ timeoutMs: 30 }))).toMatchObject({
        code: 'WAIT_TIMEOUT',
        message: expect.stringContaining('1 of 2') as unknown,
      });
      await untilGone();
    });

    it('that is closed under one who waits goes on waiting for another in its place', async () => {
      const place = newPlace();
      const { one, other, untilIn } = at(2, place);
      const waiting = one.wait();
      await untilIn(1);
      const third = stage.another();
      const closed = outcome(third.cyclicBarrier(place, { parties: 3 }).wait());
      expect(await closed).toMatchObject({ code: 'CONFLICT' });
      expect(await outcome(Promise.all([waiting, other.wait()]))).toHaveLength(2);
    });

    it('rejects who names another number of parties, and goes on', async () => {
      const place = newPlace();
      const { one, other, untilIn, untilGone } = at(2, place);
      const waiting = one.wait();
      await untilIn(1);
      expect(await outcome(stage.other.cyclicBarrier(place, { parties: 3 }).wait())).toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('2 parties') as unknown,
      });
      await untilIn(1);
      await other.wait();
      await waiting;
      await untilGone();
    });

    it('tells how many have come, the present state first', async () => {
      const { one, other, untilIn, untilGone } = at(2);
      const waiting = one.wait();
      await untilIn(1);
      const seen: number[] = [];
      for await (const { arrived, parties } of other.observe()) {
        expect(parties).toBe(2);
        seen.push(arrived);
        if (seen.length === 1) void other.wait();
        if (arrived === 0) break;
      }
      expect(seen).toEqual([1, 2, 0]);
      await waiting;
      await untilGone();
    });
  });
}
