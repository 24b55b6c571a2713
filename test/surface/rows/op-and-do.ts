import { expect, it } from 'vitest';

import { compare, get, type Op, type OpResult, put, remove, toText, txn } from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function opAndDoRow(surface: Surface): void {
  it('operations are values, executed one by one', async () => {
    const key = surface.at('put-key');
    const ops: readonly Op[] = [put(key, '123'), get(key), put(key, '456')];
    const results: OpResult[] = [];
    for (const op of ops) results.push(await surface.store.do(op));
    expect(results.map(({ kind }) => kind)).toEqual(['put', 'get', 'put']);
    expect(results.flatMap((result) => (result.kind === 'get' ? surface.pairs(result) : []))).toEqual([
      'put-key=123',
    ]);
    expect(surface.pairs(await surface.store.get(key))).toEqual(['put-key=456']);
  });

  it('each kind has its own result, with a header', async () => {
    const { store } = surface;
    const key = surface.at('k');
    const first = await store.do(put(key, '1', { prevKv: true }));
    expect(first).toMatchObject({ kind: 'put' });
    expect(first.prevKv).toBeUndefined();
    const second = await store.do(get(key));
    expect(second).toMatchObject({ kind: 'get', count: 1, header: first.header });
    const third = await store.do(txn({ if: [compare.version(key, '=', 1n)], then: [put(key, '2')] }));
    expect(third).toMatchObject({ kind: 'txn', succeeded: true, responses: [{ kind: 'put' }] });
    const fourth = await store.do(remove(key, { prevKv: true }));
    expect(fourth).toMatchObject({ kind: 'remove', deleted: 1 });
    expect(fourth.prevKvs.map(({ value }) => toText(value))).toEqual(['2']);
    expect(fourth.header.revision).toBe(first.header.revision + 2n);
  });

  it('a value can be executed again, and in a transaction', async () => {
    const again = put(surface.at('k'), 'v');
    await surface.store.do(again);
    await surface.store.do(again);
    await surface.store.txn({ then: [again] });
    expect((await surface.store.get(surface.at('k'))).kvs).toMatchObject([{ version: 3n }]);
  });
}
