import { beforeEach, expect, it } from 'vitest';

import { CompactedError, fromKey, type GetOptions, range, toText } from '../../../src/index.js';
import type { Surface } from '../surface.js';

export function getRow(surface: Surface): void {
  /** Of a=3, b=2, c=1, put in this order, b put twice. */
  let revisions: bigint[];

  beforeEach(async () => {
    revisions = await surface.putAll({ a: '3', b: '0', c: '1' });
    revisions.push(...(await surface.putAll({ b: '2' })));
  });

  const found = async (options: GetOptions): Promise<string[]> =>
    surface.keys(await surface.store.get(surface.all, options));

  it('returns key, value, create revision, mod revision, version and lease', async () => {
    const { kvs, count, more } = await surface.store.get(surface.at('b'));
    expect({ count, more }).toEqual({ count: 1, more: false });
    expect(kvs.map((kv) => ({ ...kv, key: surface.bare(kv.key), value: toText(kv.value) }))).toEqual([
      {
        key: 'b',
        value: '2',
        createRevision: revisions[1],
        modRevision: revisions[3],
        version: 2n,
        lease: 0n,
      },
    ]);
  });

  it('returns an empty list for an absent key, no error', async () => {
    expect(await surface.store.get(surface.at('absent'))).toMatchObject({ kvs: [], count: 0, more: false });
  });

  it('reads from a key on', async () => {
    const { kvs } = await surface.store.get(fromKey(surface.at('b')), { limit: 2 });
    expect(kvs.map(({ key }) => surface.bare(key))).toEqual(['b', 'c']);
  });

  it('reads a range without its end', async () => {
    expect(surface.keys(await surface.store.get(range(surface.at('a'), surface.at('c'))))).toEqual([
      'a',
      'b',
    ]);
  });

  it('reads the store as it was at a revision', async () => {
    const past = await surface.store.get(surface.all, { revision: revisions[2]! });
    expect(surface.pairs(past)).toEqual(['a=3', 'b=0', 'c=1']);
    expect(surface.pairs(await surface.store.get(surface.all))).toEqual(['a=3', 'b=2', 'c=1']);
  });

  it('fails by name where the revision is compacted', async () => {
    await surface.store.compact(revisions[3]!);
    const old = surface.store.get(surface.all, { revision: revisions[2]! });
    await expect(old).rejects.toBeInstanceOf(CompactedError);
    await expect(old).rejects.toMatchObject({ name: 'CompactedError', code: 'COMPACTED' });
    expect(await found({ revision: revisions[3]! })).toEqual(['a', 'b', 'c']);
  });

  it('stops at its limit, says that there is more, and counts all', async () => {
    const first = await surface.store.get(surface.all, { limit: 2 });
    expect([surface.keys(first), first.more, first.count]).toEqual([['a', 'b'], true, 3]);
    const whole = await surface.store.get(surface.all, { limit: 3 });
    expect([whole.kvs.length, whole.more, whole.count]).toEqual([3, false, 3]);
  });

  it.each([
    ['key', 'abc'],
    ['create', 'abc'],
    ['mod', 'acb'],
    ['value', 'cba'],
  ] as const)('sorts by %s, both ways', async (target, order) => {
    expect((await found({ sort: [target, 'ascend'] })).join('')).toBe(order);
    expect((await found({ sort: [target, 'descend'] })).join('')).toBe(order.split('').reverse().join(''));
  });

  it('sorts by version, both ways', async () => {
    await surface.putAll({ a: '', b: '' }); // versions 2, 3, 1
    expect((await found({ sort: ['version', 'ascend'] })).join('')).toBe('cab');
    expect((await found({ sort: ['version', 'descend'] })).join('')).toBe('bac');
  });

  it('leaves out the values, or counts only', async () => {
    const { kvs } = await surface.store.get(surface.all, { keysOnly: true });
    expect(kvs.map(({ key, value }) => [surface.bare(key), value.length])).toEqual([
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ]);
    expect(await surface.store.get(surface.all, { countOnly: true })).toMatchObject({ kvs: [], count: 3 });
  });

  it('can be answered by one member from what it has', async () => {
    expect(await found({ serializable: true })).toEqual(['a', 'b', 'c']);
  });

  it('leaves out what was created or changed outside of bounds', async () => {
    const [a, , c, b] = revisions;
    expect(await found({ minModRevision: c! })).toEqual(['b', 'c']);
    expect(await found({ maxModRevision: c! })).toEqual(['a', 'c']);
    expect(await found({ minCreateRevision: c! })).toEqual(['c']);
    expect(await found({ maxCreateRevision: a! })).toEqual(['a']);
    expect(await found({ maxCreateRevision: c!, minModRevision: b! })).toEqual(['b']);
  });
}
