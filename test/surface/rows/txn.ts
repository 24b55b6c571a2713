import { expect, it } from 'vitest';

import {
  compare,
  type Compare,
  type CompareResult,
  get,
  InvalidRequestError,
  put,
  type PutOp,
  remove,
  txn,
} from '../../../src/index.js';
import type { Surface } from '../surface.js';

const results = ['=', '!=', '<', '>'] as const satisfies readonly CompareResult[];
/** Of what is compared with an operand below it, one equal to it, one above it. */
const expected = {
  '=': [false, true, false],
  '!=': [true, false, true],
  '<': [false, false, true],
  '>': [true, false, false],
};

export function txnRow(surface: Surface): void {
  const at = surface.at.bind(surface);
  const holds = async (...conditions: readonly Compare[]): Promise<boolean> =>
    (await surface.store.txn({ if: conditions })).succeeded;
  const puts = (count: number): PutOp[] => Array.from({ length: count }, (_, i) => put(at(`k${i}`), ''));

  it('runs `then` if all comparisons hold, else `else`, and says which', async () => {
    const run = (): Promise<{ succeeded: boolean }> =>
      surface.store.txn({
        if: [compare.value(at('k1'), '>', 'v1'), compare.version(at('k1'), '=', 2n)],
        then: [put(at('k2'), 'v2'), put(at('k3'), 'v3')],
        else: [put(at('k4'), 'v4'), put(at('k5'), 'v5')],
      });
    await surface.putAll({ k1: 'v2' });
    expect((await run()).succeeded).toBe(false); // its version is 1
    expect(surface.pairs(await surface.store.get(surface.all))).toEqual(['k1=v2', 'k4=v4', 'k5=v5']);
    await surface.putAll({ k1: 'v2' });
    expect((await run()).succeeded).toBe(true);
    expect(surface.keys(await surface.store.get(surface.all))).toEqual(['k1', 'k2', 'k3', 'k4', 'k5']);
  });

  it('is one revision, and answers operation by operation', async () => {
    const [before] = await surface.putAll({ a: '1' });
    const answer = await surface.store.txn({
      then: [put(at('b'), '2'), get(at('b')), remove(at('a'), { prevKv: true })],
    });
    expect(answer.header.revision).toBe(before! + 1n);
    if (!answer.succeeded) throw new Error('the other branch ran');
    const [, found, removed] = answer.responses;
    expect(surface.pairs(found)).toEqual(['b=2']);
    expect(removed.deleted).toBe(1);
  });

  it.each(['version', 'createRevision', 'modRevision', 'lease'] as const)(
    'compares the %s with =, !=, < and >',
    async (target) => {
      const { id } = await surface.store.lease.grant({ ttlSeconds: 60 });
      for (const value of ['1', '2']) await surface.store.put(at('k'), value, { lease: id });
      const actual = (await surface.store.get(at('k'))).kvs[0]![target];
      for (const result of results) {
        const held = [actual - 1n, actual, actual + 1n].map((operand) =>
          holds(compare[target](at('k'), result, operand)),
        );
        expect([result, await Promise.all(held)]).toEqual([result, expected[result]]);
      }
      await surface.store.lease.revoke(id);
    },
  );

  it('compares the value with =, !=, < and >', async () => {
    await surface.putAll({ k: 'v1' });
    for (const result of results) {
      const held = ['v0', 'v1', 'v2'].map((operand) => holds(compare.value(at('k'), result, operand)));
      expect([result, await Promise.all(held)]).toEqual([result, expected[result]]);
    }
  });

  it('compares a whole range: every key of it must satisfy', async () => {
    const [a, , c] = await surface.putAll({ a: '1', b: '1', c: '2' });
    expect(await holds(compare.value(surface.all, '=', '1'))).toBe(false);
    expect(await holds(compare.value(surface.all, '<', '3'))).toBe(true);
    expect(await holds(compare.createRevision(surface.all, '>', a! - 1n))).toBe(true);
    expect(await holds(compare.modRevision(surface.all, '<', c!))).toBe(false);
  });

  it('nests', async () => {
    await surface.putAll({ a: '1' });
    const answer = await surface.store.txn({
      if: [compare.value(at('a'), '=', '1')],
      then: [
        put(at('outer'), ''),
        txn({
          if: [compare.value(at('a'), '=', '2')],
          then: [put(at('inner'), '')],
          else: [put(at('other'), '')],
        }),
      ],
    });
    expect(answer).toMatchObject({
      succeeded: true,
      responses: [{ kind: 'put' }, { kind: 'txn', succeeded: false, responses: [{ kind: 'put' }] }],
    });
    expect(surface.keys(await surface.store.get(surface.all))).toEqual(['a', 'other', 'outer']);
  });

  it('refuses too many operations by name', async () => {
    const tooMany = surface.store.txn({ then: puts(129) });
    await expect(tooMany).rejects.toBeInstanceOf(InvalidRequestError);
    await expect(tooMany).rejects.toThrow(/too many operations/);
    expect((await surface.store.get(surface.all)).count).toBe(0);
    expect((await surface.store.txn({ then: puts(128) })).succeeded).toBe(true);
  });

  it('refuses to write a key twice by name', async () => {
    const twice = surface.store.txn({ then: [put(at('a'), '1'), put(at('a'), '2')] });
    await expect(twice).rejects.toBeInstanceOf(InvalidRequestError);
    await expect(twice).rejects.toThrow(/duplicate key/);
    expect((await surface.store.get(surface.all)).count).toBe(0);
  });
}
