import { describe, expect, it } from 'vitest';
import type { CountDownLatch, Place } from '../../src/index.js';
import { linePrefix } from '../../src/base/keys.js';
import { places, Order, Stage } from '../lock/stage.js';
import { outcome } from '../lock/observe.js';
import type { Backend } from '../store/contract.js';

/** What a latch promises, whatever it runs on. */
export function latchContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);

  describe.each(places)('a latch %s', (_, newPlace) => {
    const at = (
      count: number,
      place: Place = newPlace(),
    ): { one: CountDownLatch; other: CountDownLatch; start: string } => ({
      one: stage.one.latch(place, { count }),
      other: stage.other.latch(place, { count }),
      start: linePrefix('conclave', 'latch', place),
    });

    it('opens when enough have arrived, for who waits and for who comes later', async () => {
      const { one, other } = at(3);
      const order = new Order();
      const waiting = [order.note('one', one.wait()), order.note('other', other.wait())];
      expect(await one.remaining()).toBe(3);
      expect(await one.arrive()).toBe(true);
      expect(await other.arrive()).toBe(true);
      expect(await other.remaining()).toBe(1);
      expect(await outcome(one.wait({ timeoutMs: 0 }))).toMatchObject({
        code: 'WAIT_TIMEOUT',
        message: expect.stringContaining('2 of 3') as unknown,
      });
      expect(order.seen).toEqual([]);

      await other.arrive();

      await Promise.all(waiting);
      await one.wait({ timeoutMs: 0 });
      expect(await one.remaining()).toBe(0);
      await one.reset();
    });

    it('counts an id once, from wherever it arrives', async () => {
      const { one, other } = at(2);
      expect(await one.arrive('a/b')).toBe(true);
      expect(await one.arrive('a/b')).toBe(false);
      expect(await other.arrive('a/b')).toBe(false);
      expect(await one.remaining()).toBe(1);
      const both = await Promise.all([one.arrive('c'), other.arrive('c')]);
      expect(both.sort()).toEqual([false, true]);
      await other.wait({ timeoutMs: 0 });
      await one.reset();
    });

    it('is open for good: more may arrive', async () => {
      const { one, other } = at(1);
      await Promise.all([one.arrive(), other.arrive(), one.arrive()]);
      await one.wait();
      expect(await one.remaining()).toBe(0);
      await one.reset();
    });

    it('once reset is another one, and leaves nothing behind', async () => {
      const { one, other, start } = at(2);
      await one.arrive('a');
      const waiting = outcome(other.wait());
      await one.arrive('b');
      expect(await waiting).toBeUndefined();

      await other.reset();

      expect(await stage.keysBelow(start)).toEqual([]);
      expect(await one.remaining()).toBe(2);
      expect(await one.arrive('a')).toBe(true); // of the new one
      expect(await other.remaining()).toBe(1);
      await one.reset();
      await one.reset(); // nothing happens
    });

    it('that is reset turns away who waits for it', async () => {
      const { one, other } = at(2);
      await one.arrive();
      const waiting = outcome(other.wait());
      await stage.other.store.get('any');
      await one.reset();
      // Reset before the wait has begun, it waits for the next one.
      await one.arrive();
      await one.arrive();
      const result = await waiting;
      if (result !== undefined) expect(result).toMatchObject({ code: 'CONFLICT' });
      await one.reset();
    });

    it('of another count is a conflict, for everybody but who was first', async () => {
      const place = newPlace();
      const first = stage.one.latch(place, { count: 2 });
      const other = stage.other.latch(place, { count: 3 });
      await first.arrive();
      const attempts = [other.arrive(), other.wait(), other.remaining(), other.observe().next()].map(
        (attempt: Promise<unknown>) => outcome(attempt),
      );
      for (const attempt of attempts) expect(await attempt).toMatchObject({ code: 'CONFLICT' });
      expect(await first.remaining()).toBe(1);
      await first.reset();
    });

    it('tells how far it is, the present state first', async () => {
      const { one, other } = at(2);
      await one.arrive();
      const seen: number[] = [];
      let revision = 0n;
      const observing = (async () => {
        for await (const progress of other.observe()) {
          expect(progress.revision).toBeGreaterThan(revision);
          ({ revision } = progress);
          expect(progress.count).toBe(2);
          seen.push(progress.arrived);
          if (seen.length === 1) await one.arrive();
          if (seen.length === 2) await one.reset();
          if (seen.length === 3) return;
        }
      })();
      await observing;
      expect(seen).toEqual([1, 2, 0]);
    });
  });
}
