import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { compare, type Conclave, type Place, put } from '../../src/index.js';
import type { Backend } from '../store/contract.js';
import { lockContract } from './lock.contract.js';
import { outcome } from './observe.js';
import { Order, places, Stage, until } from './stage.js';

/** What a multi-lock promises, whatever it runs on. */
export function multiLockContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);
  const standing = async (conclave: Conclave, place: Place): Promise<number> => {
    const { holder, waiters } = await conclave.mutex(place).inspect();
    return (holder ? 1 : 0) + waiters.length;
  };
  const untilStanding = (place: Place, count: number): Promise<void> =>
    until(() => standing(stage.one, place), count);

  describe('a set of one', () =>
    lockContract(stage, { of: (conclave, place) => conclave.multiLock([place]), standing }));

  describe('a set of three', () =>
    lockContract(stage, {
      of: (conclave, place) => conclave.multiLock([place, ...beside(place)]),
      standing,
    }));

  describe('a set with a lock delay', () =>
    lockContract(stage, {
      of: (conclave, place) => conclave.multiLock([place, ...beside(place)], { lockDelayMs: 20 }),
      standing,
    }));

  describe.each(places)('a multi-lock, each %s,', (_, newPlace) => {
    it('stands in every line at the same place, and its token is good for each', async () => {
      const [a, b, c] = [newPlace(), newPlace(), newPlace()];
      await using hold = await stage.one.multiLock([c, a, b]).acquire();
      const lines = await Promise.all([c, a, b].map((place) => stage.one.mutex(place).inspect()));
      expect(lines.map(({ holder }) => holder?.fencingToken)).toEqual(Array(3).fill(hold.fencingToken));
      expect(lines.map(({ holder }) => holder?.key)).toEqual(hold.keys);
      expect(hold.key).toBe(hold.keys[0]);
    });

    it('keeps each of its mutexes, and waits for each', async () => {
      const [a, b] = [newPlace(), newPlace()];
      const both = stage.one.multiLock([a, b]);
      const hold = await both.acquire();
      expect(await stage.other.mutex(a).tryAcquire()).toBeUndefined();
      expect(await stage.other.mutex(b).tryAcquire()).toBeUndefined();
      await hold.release();

      const [first, second] = [await stage.other.mutex(a).acquire(), await stage.other.mutex(b).acquire()];
      expect(await both.tryAcquire()).toBeUndefined();
      const order = new Order();
      const waiting = order.note('both', both.acquire());
      await untilStanding(b, 2);
      await second.release();
      await untilStanding(b, 1);
      expect(order.seen).toEqual([]);
      await first.release();
      await (await waiting).release();
    });

    it('that cannot be had by tryAcquire leaves nothing in any line', async () => {
      const [a, b] = [newPlace(), newPlace()];
      await using hold = await stage.other.mutex(b).acquire();

      expect(await stage.one.multiLock([a, b]).tryAcquire()).toBeUndefined();

      expect(await standing(stage.one, a)).toBe(0);
      expect(await standing(stage.one, b)).toBe(1);
      expect(hold.isHeld()).toBe(true);
    });

    it('keeps others waiting while it waits itself', async () => {
      const [a, b] = [newPlace(), newPlace()];
      const hold = await stage.other.mutex(b).acquire();
      const waiting = stage.one.multiLock([a, b]).acquire();
      await untilStanding(b, 2);

      expect(await stage.other.mutex(a).tryAcquire()).toBeUndefined();

      await hold.release();
      await (await waiting).release();
    });

    it.each(['in one process', 'between two processes'])(
      '%s does not deadlock with one that names the same the other way round',
      async (where) => {
        const [a, b, c] = [newPlace(), newPlace(), newPlace()];
        const second = where === 'in one process' ? stage.one : stage.other;
        let inside = 0;
        let rounds = 0;
        const work = async (): Promise<void> => {
          expect(++inside).toBe(1);
          await stage.one.store.get('elsewhere');
          inside--;
          rounds++;
        };

        await Promise.all(
          Array.from({ length: 10 }, async () => {
            await Promise.all([
              stage.one.multiLock([a, b, c]).run(work),
              second.multiLock([c, b, a]).run(work),
              second.multiLock([b, c]).run(work),
            ]);
          }),
        );

        expect(rounds).toBe(30);
      },
    );

    it('names the same thing once, however often it is named', async () => {
      const [a, b] = [newPlace(), newPlace()];
      await using hold = await stage.one.multiLock([a, b, a, b, b]).acquire();
      expect(hold.keys).toHaveLength(2);
      expect(await standing(stage.one, a)).toBe(1);
    });

    it('is lost as a whole if one of its tickets was removed, whatever stands first', async () => {
      const [a, b, c] = [newPlace(), newPlace(), newPlace()];
      const hold = await stage.one.multiLock([a, b, c]).acquire();

      await stage.other.store.remove(hold.keys[1]!);

      expect(await stage.other.store.txn({ if: hold.guard() })).toMatchObject({ succeeded: false });
      expect(await outcome(hold.commit([put('stale', 'write')]))).toMatchObject({ code: 'FENCED_OUT' });
      expect(hold.isHeld()).toBe(false);
      expect(hold.signal.reason).toMatchObject({ code: 'HOLD_LOST' });
      for (const place of [a, b, c]) await untilStanding(place, 0); // the others are given back
    });

    it('guards with all of its tickets', async () => {
      const [a, b] = [newPlace(), newPlace()];
      await using hold = await stage.one.multiLock([a, b]).acquire();
      expect(hold.guard()).toEqual(
        hold.keys.map((key) => compare.createRevision(key, '=', hold.fencingToken)),
      );
    });

    it('gives back what is left of it, and says that it had been lost', async () => {
      const [a, b, c] = [newPlace(), newPlace(), newPlace()];
      const hold = await stage.one.multiLock([a, b, c]).acquire();
      await stage.other.store.remove(hold.keys[0]!);

      expect(await outcome(hold.release())).toMatchObject({ code: 'HOLD_LOST' });

      for (const place of [a, b, c]) expect(await standing(stage.one, place)).toBe(0);
    });

    it('is not granted if a ticket was removed where its turn had come already, while it waited elsewhere', async () => {
      const [a, b] = [newPlace(), newPlace()];
      const hold = await stage.other.mutex(b).acquire();
      const waiting = outcome(stage.one.multiLock([a, b]).acquire());
      await untilStanding(b, 2);
      const { holder } = await stage.one.mutex(a).inspect();
      const behind = stage.other.mutex(a).acquire();
      await untilStanding(a, 2);

      await stage.other.store.remove(holder!.key);
      await using next = await behind;

      expect(await waiting).toMatchObject({ code: 'CONFLICT' });
      await untilStanding(b, 1); // its other ticket blocks nobody
      expect(next.isHeld()).toBe(true);
      await hold.release();
    });

    it('shows who stands in each line, by name', async () => {
      const [a, b] = [newPlace(), newPlace()];
      const both = stage.one.multiLock([a, b]);
      await using first = await stage.other.mutex(b).acquire();
      const waiting = both.acquire();
      await untilStanding(b, 2);

      const state = await both.inspect();

      const [nameA, nameB] = [a, b].map((place) => (typeof place === 'string' ? place : place.path));
      expect([...state.keys()]).toEqual([nameA, nameB]);
      expect(state.get(nameB!)?.holder?.key).toBe(first.key);
      expect(state.get(nameB!)?.waiters).toHaveLength(1);
      expect(state.get(nameA!)?.holder?.fencingToken).toBe(state.get(nameB!)?.waiters[0]?.fencingToken);
      await first.release();
      await (await waiting).release();
    });

    it.each([
      [60, {}],
      [30, { lockDelayMs: 20 }],
    ])('takes %i at a time with the options %j, and no more', async (most, options) => {
      const many = Array.from({ length: most }, newPlace);
      const all = stage.one.multiLock(many, options);
      const blocker = await stage.other.mutex(many[most - 1]!).acquire();
      expect(await all.tryAcquire()).toBeUndefined();
      const waiting = all.acquire();
      await untilStanding(many[0]!, 1);
      await blocker.release();

      const hold = await waiting;
      expect(hold.keys).toHaveLength(most);
      expect((await all.inspect()).size).toBe(most);
      await hold.commit([put(`done/${randomUUID()}`, '')]);
      await hold.release();
      await using again = await all.tryAcquire();
      expect(again?.isHeld()).toBe(true);

      expect(() => stage.one.multiLock([...many, newPlace()], options)).toThrow(RangeError);
      expect(stage.one.multiLock([...many, many[0]!], options)).toBeDefined();
    });
  });

  it('refuses what is no list of different things', () => {
    const of = (names: unknown) => (): unknown => stage.one.multiLock(names as Place[]);
    for (const bad of [[], 'a', null, undefined, 5, [''], [null], [{ path: '' }], ['a', '\ud800']])
      expect(of(bad)).toThrow(TypeError);
    expect(of(['x'.repeat(513)])).toThrow(RangeError);
    expect(of([{ path: '/a' }, { path: '/b' }, { path: '/a/b' }])).toThrow(TypeError);
    expect(of(['x', { path: 'conclave/lock' }])).toThrow(TypeError);
    expect(of([{ path: '/a' }, { path: '/ab' }])).not.toThrow();
    expect(of(['a', 'a/b'])).not.toThrow();
    expect(() => stage.one.multiLock(['a'], { lockDelayMs: -1 })).toThrow(RangeError);
    expect(() => stage.one.multiLock(['a'], { lockDelayMs: Infinity })).toThrow(RangeError);
  });
}

/** Two others that go with it. */
function beside(place: Place): readonly Place[] {
  return ['x', 'y'].map((end) =>
    typeof place === 'string' ? `${place}-${end}` : { path: `${place.path}-${end}` },
  );
}
