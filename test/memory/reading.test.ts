import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/memory/engine.js';
import {
  type GetOptions,
  type RangeLike,
  fromKey,
  get,
  prefix,
  put,
  range,
  remove,
} from '../../src/store/operations.js';
import { open, refusalOf } from './support.js';

function filled(...keys: readonly string[]): Engine {
  const { engine } = open();
  for (const key of keys) engine.execute('put', put(key, key));
  return engine;
}

function keysOf(engine: Engine, target: RangeLike, options?: GetOptions): string {
  const { kvs } = engine.execute('get', get(target, options));
  return kvs.map(({ key }) => Buffer.from(key).toString()).join(' ');
}

describe('ranges', () => {
  it('begin at revision 1, like an empty etcd', () => {
    expect(open().engine.execute('get', get('a')).header.revision).toBe(1n);
  });

  it('come in the order of bytes, a key before those it is a prefix of', () => {
    const engine = filled('b', 'a/b', 'a', 'a/', 'a0');
    expect(keysOf(engine, prefix(''))).toBe('a a/ a/b a0 b');
    expect(keysOf(engine, prefix('a/'))).toBe('a/ a/b');
    expect(keysOf(engine, range('a', 'a0'))).toBe('a a/ a/b');
    expect(keysOf(engine, fromKey('a/b'))).toBe('a/b a0 b');
  });

  it('are empty when they end before they begin', () => {
    expect(keysOf(filled('a', 'b'), range('b', 'a'))).toBe('');
  });

  it('tell by `count` how many keys are in the range, before bounds and limit', () => {
    const engine = filled('a', 'b', 'c');
    const answer = engine.execute('get', get(prefix(''), { limit: 1, minModRevision: 3n }));
    expect(answer).toMatchObject({ count: 3, more: true });
    expect(answer.kvs).toHaveLength(1);
    expect(engine.execute('get', get(prefix(''), { limit: 3 })).more).toBe(false);
    expect(engine.execute('get', get(prefix(''), { countOnly: true, limit: 1 }))).toMatchObject({
      count: 3,
      kvs: [],
      more: false,
    });
  });

  it('are bounded by the revisions of creation and of the last change', () => {
    const engine = filled('a', 'b', 'c'); // 2, 3, 4
    engine.execute('put', put('a', 'again')); // 5
    expect(keysOf(engine, prefix(''), { minModRevision: 4n })).toBe('a c');
    expect(keysOf(engine, prefix(''), { maxModRevision: 3n })).toBe('b');
    expect(keysOf(engine, prefix(''), { maxCreateRevision: 3n })).toBe('a b');
    expect(keysOf(engine, prefix(''), { minCreateRevision: 4n })).toBe('c');
  });

  it('are sorted by any field, before the limit', () => {
    const engine = filled('a', 'b', 'c');
    engine.execute('put', put('a', 'z'));
    expect(keysOf(engine, prefix(''), { sort: ['key', 'descend'] })).toBe('c b a');
    expect(keysOf(engine, prefix(''), { sort: ['mod', 'ascend'] })).toBe('b c a');
    expect(keysOf(engine, prefix(''), { sort: ['create', 'descend'], limit: 1 })).toBe('c');
    expect(keysOf(engine, prefix(''), { sort: ['value', 'ascend'] })).toBe('b c a');
    expect(keysOf(engine, prefix(''), { sort: ['version', 'descend'] })).toBe('a b c');
  });

  it('leave values out on demand, though they sort by them', () => {
    const answer = filled('a', 'b').execute(
      'get',
      get(prefix(''), { keysOnly: true, sort: ['value', 'descend'] }),
    );
    expect(answer.kvs.map(({ value }) => value.length)).toEqual([0, 0]);
    expect(Buffer.from(answer.kvs[0]!.key).toString()).toBe('b');
  });

  it('share no bytes with the caller', () => {
    const { engine } = open();
    const key = Buffer.from('a');
    const value = Buffer.from('1');
    engine.execute('put', put(key, value));
    key[0] = 0;
    value[0] = 0;
    engine.execute('get', get('a')).kvs[0]!.value[0] = 0;
    expect(Buffer.from(engine.execute('get', get('a')).kvs[0]!.value).toString()).toBe('1');
  });

  it('walk only the keys of the range', () => {
    const engine = filled(
      ...Array.from({ length: 3000 }, (_, i) => `key/${String(i * 7919).padStart(8, '0')}`),
    );
    const before = engine.keysWalked;
    expect(engine.execute('get', get(prefix('key/00007919'))).count).toBe(1);
    expect(engine.execute('get', get('key/00007919')).count).toBe(1);
    expect(engine.keysWalked - before).toBe(2);
    expect(engine.execute('get', get(prefix(''))).count).toBe(3000);
  });
});

describe('reads of the past', () => {
  it('see the store as it was', () => {
    const engine = filled('a', 'b'); // 2, 3
    engine.execute('remove', remove('a')); // 4
    engine.execute('put', put('a', 'new')); // 5
    expect(keysOf(engine, prefix(''), { revision: 3n })).toBe('a b');
    expect(keysOf(engine, prefix(''), { revision: 4n })).toBe('b');
    expect(engine.execute('get', get('a', { revision: 2n })).kvs[0]).toMatchObject({ createRevision: 2n });
    expect(engine.execute('get', get('a')).kvs[0]).toMatchObject({ createRevision: 5n, version: 1n });
  });

  it('are refused before the compacted revision and after the present one', () => {
    const engine = filled('a', 'b', 'c');
    engine.execute('compact', { revision: 3n, physical: true });
    expect(keysOf(engine, prefix(''), { revision: 3n })).toBe('a b');
    expect(refusalOf(() => keysOf(engine, 'a', { revision: 2n }))).toBe(
      'out-of-range: etcdserver: mvcc: required revision has been compacted',
    );
    expect(refusalOf(() => keysOf(engine, 'a', { revision: 5n }))).toBe(
      'out-of-range: etcdserver: mvcc: required revision is a future revision',
    );
  });
});

describe('compaction', () => {
  it('is refused for a revision already compacted and for a future one', () => {
    const engine = filled('a', 'b');
    engine.execute('compact', { revision: 2n, physical: false });
    expect(refusalOf(() => engine.execute('compact', { revision: 2n, physical: false }))).toMatch(
      /compacted$/,
    );
    expect(refusalOf(() => engine.execute('compact', { revision: 4n, physical: false }))).toMatch(
      /future revision$/,
    );
  });

  it('forgets deleted keys, so that reads no longer walk them', () => {
    const engine = filled('a', 'b');
    engine.execute('remove', remove('a'));
    engine.execute('compact', { revision: 4n, physical: true });
    const before = engine.keysWalked;
    expect(keysOf(engine, prefix(''))).toBe('b');
    expect(engine.keysWalked - before).toBe(1);
  });

  it('may come before the first write', () => {
    const { engine } = open();
    expect(engine.execute('compact', { revision: 0n, physical: false }).header.revision).toBe(1n);
    engine.execute('put', put('a', ''));
    expect(engine.execute('compact', { revision: 1n, physical: false }).header.revision).toBe(2n);
  });
});
