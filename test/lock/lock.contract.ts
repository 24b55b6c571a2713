import { describe, expect, it } from 'vitest';
import type { Conclave, Hold, Place, WaitOptions } from '../../src/index.js';
import { put } from '../../src/index.js';
import { outcome } from './observe.js';
import { Order, places, type Stage, until } from './stage.js';

/** Whatever one holds at a time: a mutex, a writer, the only permit, all locks of a set. */
export interface Exclusive {
  acquire(options?: WaitOptions): Promise<Hold>;
  tryAcquire(options?: { signal?: AbortSignal }): Promise<Hold | undefined>;
  run<T>(work: (hold: Hold) => T | Promise<T>, options?: WaitOptions): Promise<T>;
}

export interface Subject {
  readonly of: (conclave: Conclave, place: Place) => Exclusive;
  /** How many tickets stand in its line, those of holders included. */
  readonly standing: (conclave: Conclave, place: Place) => Promise<number>;
}

/** What every lock does, whatever it runs on. */
export function lockContract(stage: Stage, { of, standing }: Subject): void {
  describe.each(places)('as a lock, %s,', (_, newPlace) => {
    const at = (
      place = newPlace(),
    ): { one: Exclusive; other: Exclusive; untilStanding: (count: number) => Promise<void> } => ({
      one: of(stage.one, place),
      other: of(stage.other, place),
      untilStanding: (count) => until(() => standing(stage.one, place), count),
    });

    it('goes from one to the next in the order in which they came', async () => {
      const place = newPlace();
      const { one, other, untilStanding } = at(place);
      const third = of(stage.another(), place);
      const order = new Order();
      const first = await one.acquire();
      const second = order.note('second', other.acquire());
      await untilStanding(2);
      const last = order.note('last', third.acquire());
      await untilStanding(3);

      await first.release();
      const next = await second;
      expect(order.seen).toEqual(['second']);
      await next.release();
      const afterThat = await last;
      await afterThat.release();

      const tokens = [first, next, afterThat].map(({ fencingToken }) => fencingToken);
      expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)));
      expect(new Set(tokens).size).toBe(3);
      await untilStanding(0);
    });

    it('is held until it is released, as the hold and the store both say', async () => {
      const { one, other } = at();
      const hold = await one.acquire();
      expect(hold.isHeld()).toBe(true);
      expect(await stage.other.store.txn({ if: hold.guard() })).toMatchObject({ succeeded: true });

      await hold.release();

      expect(hold.isHeld()).toBe(false);
      expect(hold.signal.aborted).toBe(false);
      expect(await stage.other.store.txn({ if: hold.guard() })).toMatchObject({ succeeded: false });
      expect(await outcome(hold.commit([]))).toMatchObject({ code: 'HOLD_LOST' });
      await hold.release();
      const next = await other.tryAcquire();
      expect(next?.isHeld()).toBe(true);
      await next?.release();
    });

    it('is not to be had by tryAcquire while it is held, and that leaves nothing', async () => {
      const { one, other, untilStanding } = at();
      await using hold = await one.acquire();

      expect(await other.tryAcquire()).toBeUndefined();
      expect(await one.tryAcquire()).toBeUndefined();

      await untilStanding(1);
      expect(hold.isHeld()).toBe(true);
    });

    it('is not to be had by tryAcquire before those who wait', async () => {
      const { one, other, untilStanding } = at();
      const hold = await one.acquire();
      const waiting = other.acquire();
      await untilStanding(2);

      await hold.release();

      expect(await one.tryAcquire()).toBeUndefined();
      await (await waiting).release();
    });

    it('ends a wait after its time, naming the holder, and leaves no ticket', async () => {
      const { one, other, untilStanding } = at();
      await using hold = await one.acquire();

      expect(await outcome(other.acquire({ timeoutMs: 50 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });
      expect(await outcome(other.acquire({ timeoutMs: 0 }))).toMatchObject({ code: 'WAIT_TIMEOUT' });

      await untilStanding(1);
      expect(hold.isHeld()).toBe(true);
    });

    it('ends a wait with the very reason of the signal, and lets those behind go on', async () => {
      const place = newPlace();
      const { one, other, untilStanding } = at(place);
      const third = of(stage.another(), place);
      const caller = new AbortController();
      const hold = await one.acquire();
      const waiting = outcome(other.acquire({ signal: caller.signal }));
      await untilStanding(2);
      const behind = third.acquire();
      await untilStanding(3);

      caller.abort('enough');
      expect(await waiting).toBe('enough');
      await hold.release();

      await (await behind).release();
      await untilStanding(0);
    });

    it('gives with timeoutMs 0 what is free', async () => {
      const { one } = at();
      await using hold = await one.acquire({ timeoutMs: 0 });
      expect(hold.isHeld()).toBe(true);
    });

    it('runs something under it, gives back its result, and releases', async () => {
      const { one, untilStanding } = at();
      const result = await one.run(async (hold) => {
        expect(hold.isHeld()).toBe(true);
        return 42;
      });
      expect(result).toBe(42);
      await untilStanding(0);
    });

    it('rejects with the error of what ran, and releases', async () => {
      const { one, untilStanding } = at();
      const failing = one.run(() => {
        throw new Error('from the body');
      });
      expect(await outcome(failing)).toMatchObject({ message: 'from the body' });
      await untilStanding(0);
    });

    it('refuses a guarded write once somebody has removed the ticket, and then is lost', async () => {
      const { one } = at();
      const hold = await one.acquire();
      await stage.other.store.remove(hold.key);

      expect(await outcome(hold.commit([put('stale', 'write')]))).toMatchObject({ code: 'FENCED_OUT' });

      expect((await stage.one.store.get('stale')).kvs).toEqual([]);
      expect(hold.isHeld()).toBe(false);
      expect(hold.signal.reason).toMatchObject({ code: 'HOLD_LOST' });
      expect(await outcome(hold.release())).toMatchObject({ code: 'HOLD_LOST' });
    });

    it('says on release that it had been lost', async () => {
      const { one, untilStanding } = at();
      const hold = await one.acquire();
      await stage.other.store.remove(hold.key);

      expect(await outcome(hold.release())).toMatchObject({ code: 'HOLD_LOST' });
      await untilStanding(0);
    });

    it('does not grant a ticket that somebody removed while it waited', async () => {
      const place = newPlace();
      const { one, other, untilStanding } = at(place);
      const hold = await one.acquire();
      const waiting = outcome(other.acquire());
      await untilStanding(2);
      const third = of(stage.another(), place);
      const behind = third.acquire();
      await untilStanding(3);
      const before = await stage.keysBelow(hold.key.slice(0, hold.key.lastIndexOf('/') + 1));
      const kvs = await Promise.all(before.map((key) => stage.one.store.get(key)));
      const [, second] = kvs
        .flatMap((result) => result.kvs)
        .sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1));

      await stage.one.store.remove(second!.key);
      await hold.release();

      expect(await waiting).toMatchObject({ code: 'CONFLICT' });
      await (await behind).release();
    });

    it('is given back by close, which rejects those who wait here and refuses who comes later', async () => {
      const place = newPlace();
      const { one, untilStanding } = at(place);
      const closing = stage.another();
      const theirs = of(closing, place);
      const hold = await one.acquire();
      const waiting = outcome(theirs.acquire());
      await untilStanding(2);
      const elsewhere = newPlace();
      const held = await of(closing, elsewhere).acquire();

      await closing.close();

      expect(await waiting).toMatchObject({ code: 'CLOSED' });
      expect(held.signal.reason).toMatchObject({ code: 'CLOSED' });
      expect(held.isHeld()).toBe(false);
      expect(await outcome(theirs.acquire())).toMatchObject({ code: 'CLOSED' });
      expect(await outcome(theirs.tryAcquire())).toMatchObject({ code: 'CLOSED' });
      await untilStanding(1);
      expect(await standing(stage.one, elsewhere)).toBe(0);
      await hold.release();
    });

    it('is let go with the session it was taken in', async () => {
      const place = newPlace();
      const { one, untilStanding } = at(place);
      const own = await stage.other.withSession();
      const hold = await of(own, place).acquire();
      const next = one.acquire();
      await untilStanding(2);

      await stage.one.store.lease.revoke(own.leaseId);

      await (await next).release();
      await until(async () => Number(hold.signal.aborted), 1);
      expect(hold.isHeld()).toBe(false);
      await own.close();
    });
  });

  it('refuses bad options before anything is sent', async () => {
    const lock = of(stage.one, 'options');
    for (const timeoutMs of [NaN, -1, 2 ** 31])
      expect(await outcome(lock.acquire({ timeoutMs }))).toBeInstanceOf(RangeError);
    expect(await outcome(lock.acquire({ timeout: 5 } as WaitOptions))).toBeInstanceOf(TypeError);
    expect(await outcome(lock.tryAcquire({ timeoutMs: 5 } as object))).toBeInstanceOf(TypeError);
    expect(await outcome(lock.run('work' as never))).toBeInstanceOf(TypeError);
    expect(await outcome(lock.acquire({ signal: AbortSignal.abort('enough') }))).toBe('enough');
    for (const bad of ['', '\ud800', { path: '' }, null, 5, {}])
      expect(() => of(stage.one, bad as Place)).toThrow(TypeError);
    expect(() => of(stage.one, 'x'.repeat(513))).toThrow(RangeError);
  });
}
