import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/memory/engine.js';
import { compare, fromKey, get, prefix, put, range, remove, txn } from '../../src/store/operations.js';
import { open, refusalOf } from './support.js';

const leaseNotFound = 'not-found: etcdserver: requested lease not found';
const keyNotFound = 'invalid-argument: etcdserver: key not found';
const duplicateKey = 'invalid-argument: etcdserver: duplicate key given in txn request';

const revisionOf = (engine: Engine): bigint => engine.execute('get', get('x')).header.revision;
const valueOf = (engine: Engine, key: string): string | undefined => {
  const [kv] = engine.execute('get', get(key)).kvs;
  return kv && Buffer.from(kv.value).toString();
};

describe('a put', () => {
  it('counts versions and keeps the creation', () => {
    const { engine } = open();
    expect(engine.execute('put', put('a', '1')).header.revision).toBe(2n);
    const { prevKv } = engine.execute('put', put('a', '2', { prevKv: true }));
    expect(prevKv).toMatchObject({ createRevision: 2n, modRevision: 2n, version: 1n });
    expect(engine.execute('get', get('a')).kvs[0]).toMatchObject({
      createRevision: 2n,
      modRevision: 3n,
      version: 2n,
    });
  });

  it('can keep the value or the lease of a key, if the key exists', () => {
    const { engine } = open();
    engine.execute('leaseGrant', { id: 7n, ttlSeconds: 60 });
    expect(refusalOf(() => engine.execute('put', put('a', '', { ignoreValue: true })))).toBe(keyNotFound);
    expect(refusalOf(() => engine.execute('put', put('a', '', { ignoreLease: true })))).toBe(keyNotFound);
    engine.execute('put', put('a', '1', { lease: 7n }));
    engine.execute('put', put('a', '2', { ignoreLease: true }));
    engine.execute('put', put('a', '', { ignoreValue: true, ignoreLease: true }));
    expect(engine.execute('get', get('a')).kvs[0]).toMatchObject({ lease: 7n, version: 3n });
    expect(valueOf(engine, 'a')).toBe('2');
  });

  it('is refused under a lease that does not exist', () => {
    const { engine } = open();
    expect(refusalOf(() => engine.execute('put', put('a', '', { lease: 7n })))).toBe(leaseNotFound);
    const attempt = txn({ then: [put('b', ''), put('a', '', { lease: 7n })] });
    expect(refusalOf(() => engine.execute('txn', attempt))).toBe(leaseNotFound);
    expect(revisionOf(engine)).toBe(1n);
  });
});

describe('a delete', () => {
  it('of nothing makes no revision', () => {
    const { engine } = open();
    expect(engine.execute('remove', remove(prefix('a')))).toMatchObject({
      deleted: 0,
      header: { revision: 1n },
    });
  });

  it('of a range is one revision', () => {
    const { engine } = open();
    for (const key of ['a/1', 'a/2', 'b']) engine.execute('put', put(key, key));
    const answer = engine.execute('remove', remove(prefix('a/'), { prevKv: true }));
    expect(answer).toMatchObject({ deleted: 2, header: { revision: 5n } });
    expect(answer.prevKvs.map(({ modRevision }) => modRevision)).toEqual([2n, 3n]);
    expect(engine.execute('remove', remove('b')).prevKvs).toEqual([]);
  });
});

describe('a transaction', () => {
  it('gives all its writes one revision, and reads see the writes before them', () => {
    const { engine } = open();
    const answer = engine.execute('txn', txn({ then: [get('a'), put('a', '1'), get('a'), put('b', '2')] }));
    expect(answer.header.revision).toBe(2n);
    expect(answer.responses.map((result) => (result.kind === 'get' ? result.count : result.kind))).toEqual([
      0,
      'put',
      1,
      'put',
    ]);
    expect(engine.execute('get', get('b')).kvs[0]?.modRevision).toBe(2n);
  });

  it('that changes nothing makes no revision', () => {
    const { engine } = open();
    expect(engine.execute('txn', txn({ then: [get('a'), remove('a')] })).header.revision).toBe(1n);
  });

  it('decides all compares, nested ones too, by the state before it', () => {
    const { engine } = open();
    const isAbsent = [compare.version('a', '=', 0n)];
    const answer = engine.execute(
      'txn',
      txn({
        if: isAbsent,
        then: [put('a', '1'), txn({ if: isAbsent, then: [get('a')], else: [remove('b')] })],
      }),
    );
    expect(answer).toMatchObject({
      succeeded: true,
      responses: [{ kind: 'put' }, { kind: 'txn', succeeded: true, responses: [{ kind: 'get', count: 1 }] }],
    });
  });

  it('refuses to put a key twice, or to put one it deletes, on any level of one path', () => {
    const { engine } = open();
    const refused = [
      txn({ then: [put('a', ''), put('a', '')] }),
      txn({ else: [put('a', ''), remove(prefix('a'))] }),
      txn({ then: [remove('a'), txn({ else: [put('a', '')] })] }),
      txn({ then: [txn({ then: [put('a', '')] }), txn({ then: [put('a', '')] })] }),
      txn({ then: [txn({ then: [remove('a')] }), put('a', '')] }),
    ];
    for (const attempt of refused) expect(refusalOf(() => engine.execute('txn', attempt))).toBe(duplicateKey);
    expect(revisionOf(engine)).toBe(1n);
  });

  it('may put a key in both branches, delete one twice, and, as in etcd, delete from a key on', () => {
    const { engine } = open();
    engine.execute('txn', txn({ then: [put('a', '')], else: [put('a', '')] }));
    engine.execute('txn', txn({ then: [remove('a'), remove('a')] }));
    engine.execute('txn', txn({ then: [txn({ then: [put('a', '')], else: [put('a', '')] })] }));
    expect(revisionOf(engine)).toBe(4n);
    const { responses } = engine.execute('txn', txn({ then: [put('a', '2'), remove(fromKey('a'))] }));
    expect(responses).toMatchObject([{ kind: 'put' }, { deleted: 1 }]);
    expect(engine.execute('get', get('a', { revision: 5n })).count).toBe(0);
    expect(engine.execute('get', get('a', { revision: 4n })).count).toBe(1);
  });

  it('has at most 128 operations per list, less what the lists around it take', () => {
    const { engine } = open();
    const reads = (count: number): ReturnType<typeof get>[] => Array.from({ length: count }, () => get('a'));
    const tooMany = 'invalid-argument: etcdserver: too many operations in txn request';
    engine.execute('txn', txn({ then: reads(128), else: reads(128) }));
    engine.execute('txn', txn({ then: [txn({ then: reads(127) })] }));
    expect(refusalOf(() => engine.execute('txn', txn({ else: reads(129) })))).toBe(tooMany);
    expect(refusalOf(() => engine.execute('txn', txn({ then: [txn({ then: reads(128) })] })))).toBe(tooMany);
  });

  it('checks its reads before it writes anything', () => {
    const { engine } = open();
    const attempt = txn({ then: [put('a', ''), get('a', { revision: 2n })] });
    expect(refusalOf(() => engine.execute('txn', attempt))).toMatch(/future revision$/);
    expect(revisionOf(engine)).toBe(1n);
  });
});

describe('a compare', () => {
  const { engine } = open();
  engine.execute('leaseGrant', { id: 7n, ttlSeconds: 60 });
  engine.execute('put', put('a/1', 'x'));
  engine.execute('put', put('a/2', 'x', { lease: 7n }));

  it.each([
    ['holds over a range if every key satisfies it', compare.version(prefix('a/'), '=', 1n), true],
    ['fails over a range if one key does not', compare.modRevision(prefix('a/'), '>', 2n), false],
    ['takes an absent key as never written', compare.createRevision('b', '=', 0n), true],
    ['takes an empty range as one absent key', compare.modRevision(range('b', 'c'), '<', 1n), true],
    ['of values holds over a range', compare.value(prefix('a/'), '=', 'x'), true],
    ['of the value of an absent key is false', compare.value('b', '!=', 'x'), false],
    ['sees leases', compare.lease('a/2', '=', 7n), true],
    ['knows not equal', compare.lease('a/1', '!=', 0n), false],
  ])('%s', (_, condition, holds) => {
    expect(engine.execute('txn', txn({ if: [condition] })).succeeded).toBe(holds);
  });
});

describe('without space', () => {
  it('refuses puts and grants, and lets all through that frees', () => {
    const { engine } = open();
    const noSpace = 'resource-exhausted: etcdserver: mvcc: database space exceeded';
    engine.execute('leaseGrant', { id: 7n, ttlSeconds: 60 });
    engine.execute('put', put('a', '', { lease: 7n }));
    engine.noSpace = true;
    expect(refusalOf(() => engine.execute('put', put('b', '')))).toBe(noSpace);
    expect(refusalOf(() => engine.execute('leaseGrant', { id: 8n, ttlSeconds: 60 }))).toBe(noSpace);
    expect(refusalOf(() => engine.execute('txn', txn({ then: [get('a')], else: [put('b', '')] })))).toBe(
      noSpace,
    );
    expect(engine.execute('txn', txn({ then: [remove('a')] })).header.revision).toBe(3n);
    engine.execute('leaseRevoke', { id: 7n });
    engine.noSpace = false;
    engine.execute('put', put('b', ''));
  });
});
