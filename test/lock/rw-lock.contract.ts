import { describe, expect, it } from 'vitest';
import type { Place, RwLock, RwLockState } from '../../src/index.js';
import type { Backend } from '../store/contract.js';
import { lockContract } from './lock.contract.js';
import { outcome } from './observe.js';
import { Order, places, Stage, until } from './stage.js';

/** What a read/write lock promises, whatever it runs on. */
export function rwLockContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);
  const standingIn = async (lock: RwLock): Promise<number> => {
    const { holders, waiters } = await lock.inspect();
    return holders.length + waiters.length;
  };

  describe('a writer', () =>
    lockContract(stage, {
      of: (conclave, place) => conclave.rwLock(place).write,
      standing: (conclave, place) => standingIn(conclave.rwLock(place)),
    }));

  describe.each(places)('a read/write lock %s', (_, newPlace) => {
    const at = (
      place: Place = newPlace(),
    ): { one: RwLock; other: RwLock; untilStanding: (count: number) => Promise<void> } => {
      const one = stage.one.rwLock(place);
      return {
        one,
        other: stage.other.rwLock(place),
        untilStanding: (count) => until(() => standingIn(one), count),
      };
    };
    const modes = ({ holders, waiters }: RwLockState): unknown => ({
      holders: holders.map(({ mode }) => mode),
      waiters: waiters.map(({ mode }) => mode),
    });

    it('is shared by readers, and a writer waits for all of them', async () => {
      const { one, other, untilStanding } = at();
      const mine = await one.read.acquire();
      const alsoMine = await one.read.acquire();
      const theirs = await other.read.tryAcquire();
      expect(theirs?.isHeld()).toBe(true);
      expect(await other.write.tryAcquire()).toBeUndefined();
      const order = new Order();
      const writing = order.note('writer', other.write.acquire());
      await untilStanding(4);

      await mine.release();
      await theirs?.release();
      await untilStanding(2);
      expect(order.seen).toEqual([]);
      await alsoMine.release();

      const writer = await writing;
      expect(await one.read.tryAcquire()).toBeUndefined();
      await writer.release();
    });

    it('lets no reader overtake a writer that waits', async () => {
      const { one, other, untilStanding } = at();
      const reader = await one.read.acquire();
      const order = new Order();
      const writing = order.note('writer', other.write.acquire());
      await untilStanding(2);
      const late = order.note('reader', one.read.acquire());
      await untilStanding(3);

      expect(await other.read.tryAcquire()).toBeUndefined();
      expect(modes(await one.inspect())).toEqual({ holders: ['read'], waiters: ['write', 'read'] });
      await reader.release();
      const writer = await writing;
      expect(modes(await one.inspect())).toEqual({ holders: ['write'], waiters: ['read'] });
      expect(order.seen).toEqual(['writer']);
      await writer.release();

      await (await late).release();
    });

    it('lets all readers in at once that wait between two writers', async () => {
      const { one, other, untilStanding } = at();
      const first = await one.write.acquire();
      const readers = [one.read.acquire(), other.read.acquire(), one.read.acquire()];
      await untilStanding(4);
      const last = other.write.acquire();
      await untilStanding(5);

      await first.release();

      const holds = await Promise.all(readers);
      expect(modes(await one.inspect())).toEqual({ holders: ['read', 'read', 'read'], waiters: ['write'] });
      for (const hold of holds) await hold.release();
      await (await last).release();
    });

    it('shows who holds and who waits, each with key, token, holder and mode', async () => {
      const { one } = at();
      await using hold = await one.write.acquire();
      const { revision, holders, waiters } = await one.inspect();
      expect(waiters).toEqual([]);
      expect(holders).toMatchObject([
        { key: hold.key, fencingToken: hold.fencingToken, mode: 'write', holder: { pid: process.pid } },
      ]);
      expect(revision).toBeGreaterThanOrEqual(hold.fencingToken);
    });

    it('a writer that becomes a reader keeps its place: readers right behind it come in, no writer between', async () => {
      const { one, other, untilStanding } = at();
      const order = new Order();
      const writer = await one.write.acquire();
      const behind = order.note('reader', other.read.acquire());
      await untilStanding(2);
      const next = order.note('writer', other.write.acquire());
      await untilStanding(3);
      const last = order.note('last', one.read.acquire());
      await untilStanding(4);

      const reader = await writer.downgrade();

      const inside = await behind;
      expect(order.seen).toEqual(['reader']);
      expect(writer.isHeld()).toBe(false);
      expect(writer.signal.aborted).toBe(false);
      expect(reader.isHeld()).toBe(true);
      expect(reader.toJSON()).toEqual(writer.toJSON());
      expect(modes(await one.inspect())).toEqual({ holders: ['read', 'read'], waiters: ['write', 'read'] });
      expect(await stage.other.store.txn({ if: reader.guard() })).toMatchObject({ succeeded: true });

      await writer.release(); // ended already: nothing happens
      expect(reader.isHeld()).toBe(true);
      await reader.release();
      await untilStanding(3);
      expect(order.seen).toEqual(['reader']);
      await inside.release();
      await (await next).release();
      await (await last).release();
      expect(order.seen).toEqual(['reader', 'writer', 'last']);
    });

    it('a reader that is alone becomes a writer, with a larger token and a key of its own', async () => {
      const { one, other, untilStanding } = at();
      const reader = await one.read.acquire();

      const writer = await reader.tryUpgrade();

      expect(writer?.isHeld()).toBe(true);
      expect(writer?.fencingToken).toBeGreaterThan(reader.fencingToken);
      expect(writer?.key).not.toBe(reader.key);
      expect(reader.isHeld()).toBe(false);
      expect(reader.signal.aborted).toBe(false);
      expect(await stage.other.store.txn({ if: reader.guard() })).toMatchObject({ succeeded: false });
      expect(modes(await one.inspect())).toEqual({ holders: ['write'], waiters: [] });
      expect(await other.read.tryAcquire()).toBeUndefined();
      await writer?.release();
      await reader.release();
      await untilStanding(0);
    });

    it('a reader stays one while another reads', async () => {
      const { one, other } = at();
      await using reader = await one.read.acquire();
      await using second = await other.read.acquire();

      expect(await reader.tryUpgrade()).toBeUndefined();
      expect(await second.tryUpgrade()).toBeUndefined();

      expect(reader.isHeld() && second.isHeld()).toBe(true);
      expect(modes(await one.inspect())).toEqual({ holders: ['read', 'read'], waiters: [] });
    });

    it('a reader stays one while a writer waits behind it', async () => {
      const { one, other, untilStanding } = at();
      const reader = await one.read.acquire();
      const waiting = other.write.acquire();
      await untilStanding(2);

      expect(await reader.tryUpgrade()).toBeUndefined();

      expect(reader.isHeld()).toBe(true);
      await reader.release();
      await (await waiting).release();
    });

    it('of two readers that want to write, one can as soon as the other has left', async () => {
      const { one, other } = at();
      const reader = await one.read.acquire();
      const second = await other.read.acquire();
      expect(await reader.tryUpgrade()).toBeUndefined();
      await second.release();

      await using writer = await reader.tryUpgrade();

      expect(writer?.isHeld()).toBe(true);
    });

    it('run gives back what its hold has become', async () => {
      const { one, other, untilStanding } = at();
      await one.write.run(async (writer) => {
        const reader = await writer.downgrade();
        await using second = await other.read.tryAcquire();
        expect(second?.isHeld()).toBe(true);
        expect(reader.isHeld()).toBe(true);
      });
      await untilStanding(0);

      const result = await one.read.run(async (reader) => {
        const writer = await reader.tryUpgrade();
        expect(await other.read.tryAcquire()).toBeUndefined();
        const again = await writer?.downgrade();
        expect(again?.isHeld()).toBe(true);
        return 'done';
      });
      expect(result).toBe('done');
      await untilStanding(0);
    });

    it('run that fails gives back what its hold has become', async () => {
      const { one, untilStanding } = at();
      const failing = one.write.run(async (writer) => {
        await writer.downgrade();
        throw new Error('from the body');
      });
      expect(await outcome(failing)).toMatchObject({ message: 'from the body' });
      await untilStanding(0);
    });

    it.each(['downgrade', 'tryUpgrade'] as const)(
      'the signal of a hold speaks for what it has become by %s',
      async (change) => {
        const { one } = at();
        const first = change === 'downgrade' ? await one.write.acquire() : await one.read.acquire();
        const next = 'downgrade' in first ? await first.downgrade() : await first.tryUpgrade();

        await stage.other.store.remove(next!.key);
        expect(await outcome(next!.commit([]))).toMatchObject({ code: 'FENCED_OUT' });

        expect(next!.signal.reason).toMatchObject({ code: 'HOLD_LOST' });
        expect(first.signal.reason).toBe(next!.signal.reason);
      },
    );

    it('run rejects if what its hold has become was lost', async () => {
      const { one } = at();
      const losing = one.write.run(async (writer) => {
        const reader = await writer.downgrade();
        await stage.other.store.remove(reader.key);
      });
      expect(await outcome(losing)).toMatchObject({ code: 'HOLD_LOST' });
    });

    it('what was released or lost can be neither downgraded nor upgraded', async () => {
      const { one } = at();
      const writer = await one.write.acquire();
      await writer.release();
      expect(await outcome(writer.downgrade())).toMatchObject({ code: 'HOLD_LOST' });
      const reader = await one.read.acquire();
      await reader.release();
      expect(await outcome(reader.tryUpgrade())).toMatchObject({ code: 'HOLD_LOST' });
      const removed = await one.read.acquire();
      await stage.other.store.remove(removed.key);
      expect(await outcome(removed.tryUpgrade())).toMatchObject({ code: 'HOLD_LOST' });
      expect(removed.isHeld()).toBe(false);
      const gone = await one.write.acquire();
      await stage.other.store.remove(gone.key);
      expect(await outcome(gone.downgrade())).toMatchObject({ code: 'HOLD_LOST' });
    });
  });

  it('refuses options it does not know', () => {
    expect(() => stage.one.rwLock('options', { lockDelayMs: 5 } as object)).toThrow(TypeError);
    expect(() => stage.one.rwLock('options', { reentrant: 1 } as never)).toThrow(TypeError);
  });
}
