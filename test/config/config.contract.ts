import { describe, expect, it, vi } from 'vitest';
import { type LiveValue, type Place, put } from '../../src/index.js';
import { configKey } from '../../src/base/keys.js';
import { places, Stage } from '../lock/stage.js';
import { outcome } from '../lock/observe.js';
import { patience } from '../rig/patience.js';
import type { Backend } from '../store/contract.js';
import { type Limits, limits, limitsLater, type LimitsInput } from './limits.js';
import { Reader } from './reader.js';

const slow = { rate: 1, burst: 1 };
const fast = { rate: 100, burst: 1 };

/** What a live value promises, whatever it runs on. */
export function configContract(start: () => Promise<Backend>): void {
  const stage = Stage.on(start);
  const untilEqual = (read: () => unknown, wanted: unknown): Promise<void> =>
    vi.waitFor(() => expect(read()).toEqual(wanted), patience);

  describe.each(places)('a live value %s', (_, newPlace) => {
    const at = (
      place: Place = newPlace(),
    ): Record<'one' | 'other', LiveValue<Limits, LimitsInput>> & {
      key: string;
      raw: (text: string) => Promise<unknown>;
    } => {
      const key = configKey('conclave', place);
      return {
        one: stage.one.config(place, { schema: limits, fallback: { rate: 1 } }),
        other: stage.other.config(place, { schema: limitsLater }),
        key,
        raw: (text) => stage.one.store.put(key, text),
      };
    };

    it('is the fallback, then what is stored, then the fallback again', async () => {
      const { one, other, key } = at();
      expect(one.current).toEqual(slow);
      await one.ready();
      const seen = new Reader((options) => one.changes(options));
      expect(one.current).toEqual(slow);
      expect(one.revision).toBe(0n);

      const revision = await other.set({ rate: 100 });

      await untilEqual(() => one.current, fast);
      expect(one.revision).toBe(revision);
      await other.ready();
      expect(other.current).toEqual(fast);
      await other.clear();
      await untilEqual(() => one.current, slow);
      expect(await stage.keysBelow(key)).toEqual([]);
      expect(other.current).toEqual(fast); // it has no fallback
      await untilEqual(() => seen.seen, [slow, fast, slow]);
      expect(await seen.stop()).toBe('enough');
    });

    it('is plain JSON, which any program may write', async () => {
      const { one, key, raw } = at();
      await one.ready();
      await raw('{ "rate": 7 }');
      await untilEqual(() => one.current, { rate: 7, burst: 1 });
      await one.set({ rate: 8 });
      const { kvs } = await stage.other.store.get(key);
      expect(Buffer.from(kvs[0]?.value ?? []).toString()).toBe('{"rate":8}');
      expect(kvs[0]?.lease).toBe(0n);
      expect(one.current).toEqual({ rate: 8, burst: 1 }); // one reads what it has written
    });

    it('reports a bad value to all who want to know, and keeps the last good one', async () => {
      const { one, key, raw } = at();
      await one.set({ rate: 100 });
      await one.ready();
      const readers = [1, 2].map(() => new Reader((options) => one.errors(options)));
      const changes = new Reader((options) => one.changes(options));
      await untilEqual(() => changes.seen, [fast]);

      await raw('{"rate":');
      await raw('{"rate":"many"}');
      await raw('{"rate":100}');
      await raw('{"rate":3}');

      await untilEqual(() => changes.last, { rate: 3, burst: 1 });
      expect(changes.seen).toEqual([fast, { rate: 3, burst: 1 }]);
      for (const { seen } of readers) {
        expect(seen).toMatchObject([
          {
            code: 'INVALID_VALUE',
            storedAt: { key },
            issues: [{ message: expect.stringContaining('not JSON') as unknown }],
          },
          {
            code: 'INVALID_VALUE',
            storedAt: { key },
            issues: [{ message: 'expected a number', path: ['rate'] }],
          },
        ]);
      }
      expect(await Promise.all([...readers, changes].map((each) => each.stop()))).toEqual([
        'enough',
        'enough',
        'enough',
      ]);
    });

    it('without a fallback is not ready as long as nothing good is stored', async () => {
      const { other, key, raw } = at();
      expect(() => other.current).toThrow('await ready()');
      expect(await outcome(other.ready())).toMatchObject({
        code: 'NOT_FOUND',
        message: expect.stringContaining(key) as unknown,
      });
      const problems = new Reader((options) => other.errors(options));
      await untilEqual(() => problems.seen.map(({ code }) => code), ['NOT_FOUND']);
      await raw('no');
      await untilEqual(() => problems.seen.map(({ code }) => code), ['NOT_FOUND', 'INVALID_VALUE']);
      expect(await outcome(other.ready())).toMatchObject({ code: 'INVALID_VALUE' });
      expect(() => other.current).toThrow('await ready()');

      await raw('{"rate":100}');

      await vi.waitFor(() => other.ready(), patience);
      expect(other.current).toEqual(fast);
      await problems.stop();
    });

    it('is not overwritten by who has not seen the latest', async () => {
      const place = newPlace();
      const { one, other, raw } = at(place);
      await raw('{"rate":100}');
      expect(await outcome(one.set({ rate: 1 }))).toMatchObject({
        code: 'CONFLICT',
        message: expect.stringContaining('ready()') as unknown,
      });
      await one.ready();
      const first = await one.set({ rate: 1 });
      const second = await one.set({ rate: 2 });
      expect(await outcome(other.set({ rate: 3 }, { ifRevision: first }))).toMatchObject({
        code: 'CONFLICT',
      });
      expect(await other.set({ rate: 3 }, { ifRevision: second })).toBeGreaterThan(second);
      expect(await outcome(other.clear({ ifRevision: second }))).toMatchObject({ code: 'CONFLICT' });
      await stage.one.config(place).set({ rate: 4 }, { force: true });
      await stage.one.config(place).clear({ force: true });
      await stage.one.config(place).clear({ force: true }); // nothing happens
      expect(await outcome(other.set({ rate: 5 }, { ifRevision: second }))).toMatchObject({
        code: 'CONFLICT',
      });
      await other.set({ rate: 5 }, { ifRevision: 0n });
    });

    it('is changed by two at a time without losing a change', async () => {
      const { one, other } = at();
      await one.set({ rate: 0 });
      const more = ({ rate }: Limits): LimitsInput => ({ rate: rate + 1 });
      await Promise.all(Array.from({ length: 10 }, (_each, i) => (i % 2 ? one : other).update(more)));
      await other.ready();
      expect(other.current).toEqual({ rate: 10, burst: 1 });
    });

    it('refuses to store what the schema refuses, or JSON cannot carry', async () => {
      const { one, key } = at();
      expect(await outcome(one.set({ rate: 'x' } as never))).toMatchObject({
        code: 'INVALID_VALUE',
        storedAt: undefined,
      });
      expect(await outcome(one.update(() => ({}) as never))).toMatchObject({ code: 'INVALID_VALUE' });
      expect(await outcome(stage.one.config(newPlace()).set(1n))).toBeInstanceOf(TypeError);
      expect(await outcome(one.update(() => Promise.reject(new Error('mine'))))).toMatchObject({
        message: 'mine',
      });
      expect(await stage.keysBelow(key)).toEqual([]);
    });
  });

  describe.each(places)('settings %s', (_, newPlace) => {
    it('are known as they were at one revision, each checked by itself', async () => {
      const place = newPlace();
      const settings = stage.one.settings(place, { schema: limits });
      const other = stage.other.settings(place, { schema: limitsLater });
      const { store } = stage.other;
      await settings.ready();
      expect([...settings.current]).toEqual([]);
      const changes = new Reader((options) => settings.changes(options));
      const problems = new Reader((options) => settings.errors(options));
      await untilEqual(() => changes.seen.length, 1);

      await other.set('b', { rate: 2 });
      await other.set('a/x', { rate: 1 });
      await stage.other.store.txn({
        then: [
          put(`${settings.prefix}a/x`, '{"rate":10}'),
          put(`${settings.prefix}b`, '"bad"'),
          put(`${settings.prefix}c`, '{"rate":3}'),
        ],
      });
      await store.remove(`${settings.prefix}b`);
      await other.delete('c', { force: true });

      const [a, b, c] = [10, 2, 3].map((rate) => ({ rate, burst: 1 }));
      await untilEqual(() => changes.seen.length, 6);
      expect([...settings.current]).toEqual([['a/x', a]]);
      expect(
        changes.seen.map(({ settings: all, changed, removed }) => ({
          all: [...all.keys()],
          changed,
          removed,
        })),
      ).toEqual([
        { all: [], changed: [], removed: [] },
        { all: ['b'], changed: ['b'], removed: [] },
        { all: ['a/x', 'b'], changed: ['a/x'], removed: [] },
        { all: ['a/x', 'b', 'c'], changed: ['a/x', 'c'], removed: [] },
        { all: ['a/x', 'c'], changed: [], removed: ['b'] },
        { all: ['a/x'], changed: [], removed: ['c'] },
      ]);
      expect([...changes.seen[3]!.settings.values()]).toEqual([a, b, c]);
      expect(problems.seen).toMatchObject([
        { code: 'INVALID_VALUE', storedAt: { key: `${settings.prefix}b` } },
      ]);
      expect(await settings.update('a/x', (value) => ({ rate: (value?.rate ?? 0) + 1 }))).toBe(
        settings.revision,
      );
      expect(settings.current.get('a/x')).toEqual({ rate: 11, burst: 1 });
      expect(await outcome(other.set('a/x', { rate: 0 }))).toMatchObject({ code: 'CONFLICT' });
      await Promise.all([changes.stop(), problems.stop()]);
    });
  });
}
