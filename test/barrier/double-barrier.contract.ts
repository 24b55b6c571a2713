import { describe, expect, it } from 'vitest';
import type { Place } from '../../src/index.js';
import { linePrefix } from '../../src/base/keys.js';
import { places, Order, Stage, until } from '../lock/stage.js';
import { outcome } from '../lock/observe.js';
import type { Backend } from '../store/contract.js';

/** What a double barrier promises, whatever it runs on. */
export function doubleBarrierContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);

  describe.each(places)('a double barrier %s', (_, newPlace) => {
    const at = (parties: number, place: Place = newPlace()) => {
      const start = linePrefix('conclave', 'double-barrier', place);
      const count = async (): Promise<number> => (await stage.keysBelow(`${start}in/`)).length;
      return {
        one: stage.one.doubleBarrier(place, { parties }),
        other: stage.other.doubleBarrier(place, { parties }),
        untilIn: (wanted: number) => until(count, wanted),
        /** Nothing is left of it. */
        untilGone: () => until(async () => (await stage.keysBelow(start)).length, 0),
      };
    };

    it('lets all in when all have come, and out when all leave', async () => {
      const { one, other, untilIn, untilGone } = at(2);
      const order = new Order();
      const first = order.note('in', one.enter());
      await untilIn(1);
      expect(order.seen).toEqual([]);
      const [mine, theirs] = await Promise.all([first, other.enter()]);
      expect([mine.index, theirs.index]).toEqual([0, 1]);
      expect(mine.round).toBe(theirs.round);
      expect(mine.signal.aborted).toBe(false);

      const leaving = order.note('out', mine.leave());
      await untilIn(1);
      expect(order.seen).toEqual(['in']);
      await theirs.leave();
      await leaving;

      await mine.leave(); // idempotent
      await untilGone();
    });

    it('runs callbacks that overlap, round after round', async () => {
      const { one, other, untilGone } = at(3);
      let inside = 0;
      const most: number[] = [];
      const work = async (): Promise<void> => {
        inside++;
        // Whoever is inside, all are, or will be.
        await until(() => Promise.resolve(inside), 3);
        most.push(inside);
      };
      for (let round = 0; round < 3; round++) {
        inside = 0;
        await Promise.all([one.run(work), one.run(work), other.run(work)]);
      }
      expect(most).toEqual(Array.from({ length: 9 }, () => 3));
      await untilGone();
    });

    it('may be entered again as soon as it was left', async () => {
      const { one, other, untilGone } = at(2);
      const loop = async (barrier: typeof one): Promise<bigint[]> => {
        const rounds: bigint[] = [];
        for (let i = 0; i < 5; i++) {
          await using pass = await barrier.enter();
          rounds.push(pass.round);
        }
        return rounds;
      };
      const [mine, theirs] = await Promise.all([loop(one), loop(other)]);
      expect(mine).toEqual(theirs);
      expect(new Set(mine).size).toBe(5);
      await untilGone();
    });

    it('turns away whoever comes while a round is inside, or is one too many', async () => {
      const { one, other, untilIn, untilGone } = at(2);
      const passes = await Promise.all([one.enter(), other.enter()]);
      expect(await outcome(one.enter())).toMatchObject({ code: 'CONFLICT' });
      await untilIn(2);
      const firstOut = passes[0].leave();
      await untilIn(1);
      expect(await outcome(other.enter())).toMatchObject({ code: 'CONFLICT' });
      await passes[1].leave();
      await firstOut;

      const all = await Promise.allSettled([one, other, one, other, one].map(async (each) => each.enter()));
      const entered = all.filter((each) => each.status === 'fulfilled').map(({ value }) => value);
      expect(entered).toHaveLength(2);
      for (const each of all)
        if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'CONFLICT' });
      await Promise.all(entered.map((pass) => pass.leave()));
      await untilGone();
    });

    it('does not count who has given up', async () => {
      const { one, other, untilIn, untilGone } = at(2);
      expect(await outcome(one.enter({ timeoutMs: 30 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
      const waiting = one.enter();
      await untilIn(1);
      const passes = await Promise.all([waiting, other.enter()]);
      await Promise.all(passes.map((pass) => pass.leave()));
      await untilGone();
    });

    it('is broken for those who leave if one has gone without them, and they are told who', async () => {
      const place = newPlace();
      const { one, untilIn, untilGone } = at(3, place);
      const gone = stage.another();
      const [mine, another, theirs] = await Promise.all([
        one.enter(),
        one.enter(),
        gone.doubleBarrier(place, { parties: 3 }).enter(),
      ]);
      const leaving = outcome(mine.leave());
      await untilIn(2);

      await gone.close();

      expect(theirs.signal.reason).toMatchObject({ code: 'CLOSED' });
      const broken = { code: 'BROKEN_BARRIER', key: theirs.key };
      expect(await leaving).toMatchObject(broken);
      expect(await outcome(another.leave())).toMatchObject(broken);
      await untilGone();
      const { one: again, other, untilGone: untilAllGone } = at(2, place);
      const passes = await Promise.all([again.enter(), other.enter()]);
      await Promise.all(passes.map((pass) => pass.leave()));
      await untilAllGone();
    });

    it('is broken for the others by one who does not wait for them to leave', async () => {
      const { one, other, untilIn, untilGone } = at(2);
      const [mine, theirs] = await Promise.all([one.enter(), other.enter()]);
      expect(await outcome(mine.leave({ timeoutMs: 0 }))).toMatchObject({
        code: 'WAIT_TIMEOUT',
        message: expect.stringContaining('1 of 2 have left') as unknown,
      });
      await untilIn(1);
      await until(async () => (await stage.keysBelow(mine.key.replace(/in\/.*/, 'leave/'))).length, 0);
      expect(await outcome(theirs.leave())).toMatchObject({ code: 'BROKEN_BARRIER', key: mine.key });
      await untilGone();
    });

    it('run rejects with the error of its callback, and leaves with the others', async () => {
      const { one, other, untilGone } = at(2);
      const oops = new Error('oops');
      const failing = outcome(
        one.run(() => {
          throw oops;
        }),
      );
      expect(await other.run(({ index }) => index + 10)).toBeGreaterThanOrEqual(10);
      expect(await failing).toBe(oops);
      await untilGone();
    });

    it('run whose signal has aborted meanwhile leaves without waiting', async () => {
      const { one, other, untilGone } = at(2);
      const stop = new AbortController();
      const stopped = outcome(
        one.run(
          () => {
            stop.abort('stop');
          },
          { signal: stop.signal },
        ),
      );
      const theirs = await other.enter();
      expect(await stopped).toBe('stop');
      // Before that is known to the store all seem to leave.
      await until(async () => (await stage.keysBelow(theirs.key.replace(/in\/.*/, ''))).length, 2);
      expect(await outcome(theirs.leave())).toMatchObject({ code: 'BROKEN_BARRIER' });
      await untilGone();
    });

    it('tells how many have come', async () => {
      const { one, other, untilIn, untilGone } = at(2);
      const waiting = one.enter();
      await untilIn(1);
      const seen: number[] = [];
      let theirs: ReturnType<typeof other.enter> | undefined;
      for await (const { arrived } of other.observe()) {
        seen.push(arrived);
        theirs ??= other.enter();
        if (arrived === 0) break;
      }
      expect(seen).toEqual([1, 2, 0]);
      await Promise.all([(await waiting).leave(), (await theirs)?.leave()]);
      await untilGone();
    });
  });
}
