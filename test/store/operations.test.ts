import { describe, expect, it } from 'vitest';
import { toBytes } from '../../src/base/bytes.js';
import {
  compare,
  type CompareResult,
  fromKey,
  get,
  type GetOptions,
  prefix,
  put,
  type PutOptions,
  range,
  type RangeLike,
  remove,
  toRange,
  txn,
} from '../../src/store/operations.js';

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

describe('a range', () => {
  it('of a prefix ends at the prefix with its last byte + 1; 0xff carries', () => {
    expect(prefix('/test/')).toEqual({ key: toBytes('/test/'), end: toBytes('/test0') });
    expect(prefix(bytes(1, 0xff, 0xff))).toEqual({ key: bytes(1, 0xff, 0xff), end: bytes(2) });
    expect(prefix(bytes(0xff, 0xff))).toEqual({ key: bytes(0xff, 0xff), end: bytes(0) });
  });

  it('of the empty prefix is all keys', () => {
    expect(prefix('')).toEqual({ key: bytes(0), end: bytes(0) });
  });

  it('leaves the bytes of a Buffer alone, and does not change with it', () => {
    const key = Buffer.from('jobs/');
    const built = [prefix(key), range(key, 'x'), fromKey(key), toRange(key), toRange({ key })];
    expect(key.toString()).toBe('jobs/');
    key.fill(0);
    for (const each of built) expect(each.key).toEqual(toBytes('jobs/'));
    expect(built[0]!.end).toEqual(toBytes('jobs0'));
  });

  it.each([
    '',
    bytes(),
    { key: bytes() },
    { key: 'a' },
    {},
    undefined,
    null,
    7,
    'a\uD800',
    { key: bytes(1), end: 7 },
  ])('refuses %o', (target) => {
    expect(() => toRange(target as RangeLike)).toThrow(TypeError);
  });

  it('refuses an empty start or end', () => {
    expect(() => range('', 'b')).toThrow('key must not be empty');
    expect(() => range('a', '')).toThrow('range end must not be empty');
    expect(() => fromKey('')).toThrow(TypeError);
  });
});

describe('an operation', () => {
  it('has every default filled in', () => {
    expect(get('a')).toEqual({
      kind: 'get',
      range: { key: toBytes('a') },
      limit: 0,
      revision: 0n,
      serializable: false,
      keysOnly: false,
      countOnly: false,
      minModRevision: 0n,
      maxModRevision: 0n,
      minCreateRevision: 0n,
      maxCreateRevision: 0n,
    });
    expect(remove('a')).toEqual({ kind: 'remove', range: { key: toBytes('a') }, prevKv: false });
    expect(txn({})).toEqual({ kind: 'txn', if: [], then: [], else: [] });
  });

  it('keeps the value as it was when the operation was built', () => {
    const value = Buffer.from('one');
    const op = put('a', value);
    value.write('two');
    expect(op.value).toEqual(toBytes('one'));
  });

  it.each([NaN, -1, 0.5, Infinity, 2 ** 53])('get refuses the limit %d', (limit) => {
    expect(() => get('a', { limit })).toThrow(RangeError);
  });

  it.each<[GetOptions, new () => Error]>([
    [{ revision: -1n }, RangeError],
    [{ revision: 1 as unknown as bigint }, TypeError],
    [{ minModRevision: -1n }, RangeError],
    [{ maxModRevision: '1' as unknown as bigint }, TypeError],
    [{ minCreateRevision: -1n }, RangeError],
    [{ maxCreateRevision: -1n }, RangeError],
    [{ sort: ['size', 'ascend'] as unknown as ['key', 'ascend'] }, TypeError],
    [{ sort: ['key', 'down'] as unknown as ['key', 'ascend'] }, TypeError],
  ])('get refuses %o', (options, error) => {
    expect(() => get('a', options)).toThrow(error);
  });

  it.each<[string, PutOptions]>([
    ['v', { ignoreValue: true }],
    ['v', { ignoreLease: true, lease: 7n }],
    ['v', { lease: 7 as unknown as bigint }],
  ])('put refuses the value "%s" with %o', (value, options) => {
    expect(() => put('a', value, options)).toThrow(TypeError);
  });

  it('put takes an empty value, but no empty key', () => {
    expect(put('a', '').value).toEqual(bytes());
    expect(() => put('', 'v')).toThrow('key must not be empty');
    expect(() => put('a', undefined as unknown as string)).toThrow(TypeError);
  });
});

describe('a number', () => {
  const tooLarge = 2n ** 64n + 1n; // 1, on the wire
  it.each([
    ['revision of get', () => get('k', { revision: tooLarge })],
    ['bound of get', () => get('k', { maxModRevision: 2n ** 63n })],
    ['lease of put', () => put('k', '', { lease: tooLarge })],
    ['operand', () => compare.modRevision('k', '=', tooLarge)],
    ['negative operand', () => compare.version('k', '>', -(2n ** 63n) - 1n)],
  ])('that would be another one on the wire is refused as a %s', (_, build) => {
    expect(build).toThrow(RangeError);
  });

  it('may be as large as the store takes', () => {
    expect(compare.lease('k', '=', 2n ** 63n - 1n).operand).toBe(2n ** 63n - 1n);
  });
});

describe('a comparison', () => {
  it.each(['==', '', 'Equal', '>=', undefined])(
    'refuses the result %o, which etcd3 would take for "="',
    (bad) => {
      const result = bad as CompareResult;
      expect(() => compare.version('a', result, 0n)).toThrow(TypeError);
      expect(() => compare.value('a', result, 'x')).toThrow(TypeError);
    },
  );

  it('of numbers takes a bigint only, of a value bytes only', () => {
    expect(() => compare.createRevision('a', '=', 0 as unknown as bigint)).toThrow(TypeError);
    expect(() => compare.value('a', '=', 0n as unknown as string)).toThrow(TypeError);
  });
});
