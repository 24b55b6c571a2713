import { describe, expect, it } from 'vitest';
import type { Place, Semaphore, SemaphoreOptions, SemaphoreState } from '../../src/index.js';
import { linePrefix } from '../../src/base/keys.js';
import type { Backend } from '../store/contract.js';
import { lockContract } from './lock.contract.js';
import { outcome } from './observe.js';
import { Order, places, Stage, until } from './stage.js';

/** What a semaphore promises, whatever it runs on. */
export function semaphoreContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);
  const standingIn = async (semaphore: Semaphore): Promise<number> => {
    const { holders, waiters } = await semaphore.inspect();
    return holders.length + waiters.length;
  };

  describe('its only permit', () =>
    lockContract(stage, {
      of: (conclave, place) => conclave.semaphore(place, { limit: 1 }),
      standing: (conclave, place) => standingIn(conclave.semaphore(place)),
    }));

  describe.each(places)('a semaphore %s', (_, newPlace) => {
    const at = (
      options: SemaphoreOptions = {},
      place: Place = newPlace(),
    ): { one: Semaphore; other: Semaphore; untilStanding: (count: number) => Promise<void> } => {
      const one = stage.one.semaphore(place, options);
      return {
        one,
        other: stage.other.semaphore(place, options),
        untilStanding: (count) => until(() => standingIn(one), count),
      };
    };
    const permits = ({ holders, waiters, limit, used, isOverLimit }: SemaphoreState): unknown => ({
      limit,
      used,
      isOverLimit,
      holders: holders.map((each) => each.permits),
      waiters: waiters.map((each) => each.permits),
    });

    it('gives as many permits as its limit says, and no more', async () => {
      const { one, other, untilStanding } = at({ limit: 3 });
      const held = [await one.acquire(), await other.acquire(), await one.acquire()];
      expect(await one.tryAcquire()).toBeUndefined();
      const order = new Order();
      const waiting = order.note('fourth', other.acquire());
      await untilStanding(4);
      expect(permits(await one.inspect())).toEqual({
        limit: 3,
        used: 3,
        isOverLimit: false,
        holders: [1, 1, 1],
        waiters: [1],
      });
      expect(order.seen).toEqual([]);

      await held[1]?.release();

      held.push(await waiting);
      for (const hold of held) await hold.release();
      await untilStanding(0);
    });

    it('gives several at a time, all or none', async () => {
      const { one, other } = at({ limit: 5 });
      await using three = await one.acquire({ permits: 3 });
      expect(await other.tryAcquire({ permits: 3 })).toBeUndefined();

      await using two = await other.tryAcquire({ permits: 2 });

      expect(three.isHeld() && two?.isHeld()).toBe(true);
      expect(await one.inspect()).toMatchObject({ used: 5, limit: 5 });
      expect(await other.tryAcquire()).toBeUndefined();
    });

    it('does not let those who want few starve one who wants many', async () => {
      const { one, other, untilStanding } = at({ limit: 3 });
      const [first, second] = [await one.acquire(), await one.acquire()];
      const order = new Order();
      const heavy = order.note('heavy', other.acquire({ permits: 3 }));
      await untilStanding(3);
      // One permit is free, and it stays so.
      expect(await one.tryAcquire()).toBeUndefined();
      const light = order.note('light', one.acquire());
      await untilStanding(4);

      await first.release();
      await untilStanding(3);
      expect(order.seen).toEqual([]);
      await second.release();
      const all = await heavy;
      expect(order.seen).toEqual(['heavy']);
      await all.release();

      await (await light).release();
    });

    it('lets in at once all who fit', async () => {
      const { one, other, untilStanding } = at({ limit: 4 });
      const all = await one.acquire({ permits: 4 });
      const waiting = [other.acquire({ permits: 2 }), one.acquire(), other.acquire()];
      await untilStanding(4);

      await all.release();

      for (const hold of await Promise.all(waiting)) await hold.release();
    });

    it('stores the limit, which holds for those who name none, also when nobody holds', async () => {
      const place = newPlace();
      await (await stage.one.semaphore(place, { limit: 2 }).acquire()).release();
      const { one, other } = at({}, place);
      await using both = await other.acquire({ permits: 2 });
      expect(both.isHeld()).toBe(true);
      expect(await one.tryAcquire()).toBeUndefined();
      expect(await one.inspect()).toMatchObject({ limit: 2 });
    });

    it.each(['acquire', 'tryAcquire'] as const)(
      '%s refuses who names another limit, and nothing of that stays',
      async (method) => {
        const place = newPlace();
        await using hold = await stage.one.semaphore(place, { limit: 2 }).acquire();
        const disagreeing = stage.other.semaphore(place, { limit: 3 });

        expect(await outcome(disagreeing[method]())).toMatchObject({ code: 'CONFLICT' });

        expect(permits(await stage.one.semaphore(place).inspect())).toMatchObject({
          limit: 2,
          holders: [1],
          waiters: [],
        });
        expect(hold.isHeld()).toBe(true);
      },
    );

    it('tryAcquire refuses who names another limit also while nothing is free', async () => {
      const place = newPlace();
      await using hold = await stage.one.semaphore(place, { limit: 1 }).acquire();

      const trying = stage.other.semaphore(place, { limit: 3 }).tryAcquire();

      expect(await outcome(trying)).toMatchObject({ code: 'CONFLICT' });
      expect(hold.isHeld()).toBe(true);
    });

    it.each(['acquire', 'tryAcquire'] as const)(
      '%s refuses while there is no limit, and nothing of that stays',
      async (method) => {
        const place = newPlace();

        expect(await outcome(stage.one.semaphore(place)[method]())).toMatchObject({ code: 'CONFLICT' });

        expect(await stage.keysBelow(linePrefix('conclave', 'semaphore', place))).toEqual([]);
        expect(await stage.one.semaphore(place).inspect()).toMatchObject({ limit: undefined, used: 0 });
      },
    );

    it('has a limit once it was resized', async () => {
      const { one } = at();
      await one.resize(2);
      await using hold = await one.acquire({ permits: 2 });
      expect(hold.isHeld()).toBe(true);
    });

    it('made larger lets those in who wait', async () => {
      const place = newPlace();
      await using first = await stage.one.semaphore(place, { limit: 1 }).acquire();
      const { one, other, untilStanding } = at({}, place);
      const waiting = other.acquire();
      await untilStanding(2);

      await one.resize(2);

      await using second = await waiting;
      expect(first.isHeld() && second.isHeld()).toBe(true);
      expect(await one.inspect()).toMatchObject({ limit: 2, used: 2, isOverLimit: false });
    });

    it('made smaller takes nothing back, says so, and grants nothing until enough were given back', async () => {
      const place = newPlace();
      const owner = stage.one.semaphore(place, { limit: 3 });
      const held = [await owner.acquire(), await owner.acquire(), await owner.acquire()];
      const { one, other, untilStanding } = at({}, place);

      await one.resize(1);

      expect(held.every((hold) => hold.isHeld())).toBe(true);
      expect(permits(await one.inspect())).toMatchObject({ limit: 1, used: 3, isOverLimit: true });
      const order = new Order();
      const waiting = order.note('next', other.acquire());
      await untilStanding(4);
      for (const hold of held.slice(0, 2)) {
        await hold.release();
        expect(await one.tryAcquire()).toBeUndefined();
      }
      await untilStanding(2);
      expect(order.seen).toEqual([]);
      expect(await one.inspect()).toMatchObject({ used: 1, isOverLimit: false });
      await held[2]?.release();

      await (await waiting).release();
    });

    it('made smaller turns away who waits for more than that, and the line goes on', async () => {
      const place = newPlace();
      const hold = await stage.one.semaphore(place, { limit: 3 }).acquire();
      const { one, other, untilStanding } = at({}, place);
      const heavy = outcome(other.acquire({ permits: 3 }));
      await untilStanding(2);
      const light = other.acquire();
      await untilStanding(3);

      await one.resize(2);

      expect(await heavy).toMatchObject({ code: 'CONFLICT' });
      await using behind = await light; // beside the first
      expect(hold.isHeld() && behind.isHeld()).toBe(true);
      await hold.release();
    });

    it.each(['acquire', 'tryAcquire'] as const)(
      '%s refuses who wants more than the stored limit, and nothing of that stays',
      async (method) => {
        const { one, untilStanding } = at();
        await one.resize(2);
        expect(await outcome(one[method]({ permits: 3 }))).toMatchObject({ code: 'CONFLICT' });
        await untilStanding(0);
        await using hold = await one.acquire();
        expect(await outcome(one[method]({ permits: 3 }))).toMatchObject({ code: 'CONFLICT' });
        await untilStanding(1);
        expect(hold.isHeld()).toBe(true);
      },
    );

    it('once resized refuses who names the limit of before', async () => {
      const place = newPlace();
      await (await stage.one.semaphore(place, { limit: 2 }).acquire()).release();
      await stage.one.semaphore(place, { limit: 2 }).resize(3);
      const late = stage.other.semaphore(place, { limit: 2 });
      expect(await outcome(late.acquire())).toMatchObject({ code: 'CONFLICT' });
    });

    it('resized by two at once has the limit of the one or the other', async () => {
      const { one, other } = at();
      await Promise.all([one.resize(5), other.resize(7), one.resize(6)]);
      const { limit } = await one.inspect();
      expect([5, 6, 7]).toContain(limit);
      await one.resize(1);
      expect(await one.inspect()).toMatchObject({ limit: 1, isOverLimit: false });
    });

    it('never grants more than its limit, whoever comes and goes', async () => {
      const place = newPlace();
      const { one, other, untilStanding } = at({ limit: 4 }, place);
      let taken = 0;
      let most = 0;
      const use = async (semaphore: Semaphore, count: number): Promise<void> =>
        semaphore.run(
          async () => {
            most = Math.max(most, (taken += count));
            await stage.one.store.get('elsewhere');
            taken -= count;
          },
          { permits: count },
        );
      const uses = [1, 2, 3, 4, 1, 2, 3, 1, 4, 2].flatMap((count) => [use(one, count), use(other, count)]);

      await Promise.all(uses);

      expect(most).toBe(4);
      await untilStanding(0);
    });
  });

  it('refuses bad numbers before anything is sent', async () => {
    const semaphore = stage.one.semaphore('numbers', { limit: 3 });
    for (const permits of [0, -1, 1.5, NaN, Infinity, 4, 2 ** 53]) {
      expect(await outcome(semaphore.acquire({ permits }))).toBeInstanceOf(RangeError);
      expect(await outcome(semaphore.tryAcquire({ permits }))).toBeInstanceOf(RangeError);
    }
    for (const limit of [0, -1, 1.5, NaN, Infinity]) {
      expect(() => stage.one.semaphore('numbers', { limit })).toThrow(RangeError);
      expect(await outcome(semaphore.resize(limit))).toBeInstanceOf(RangeError);
    }
    expect(await outcome(semaphore.acquire({ permits: '2' as never }))).toBeInstanceOf(TypeError);
    expect(await outcome(semaphore.resize('2' as never))).toBeInstanceOf(TypeError);
    expect(() => stage.one.semaphore('numbers', { limit: '2' as never })).toThrow(TypeError);
    expect(() => stage.one.semaphore('numbers', { permits: 2 } as object)).toThrow(TypeError);
    expect(await stage.keysBelow(linePrefix('conclave', 'semaphore', 'numbers'))).toEqual([]);
  });
}
