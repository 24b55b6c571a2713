import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/cli/failure.js';
import { parseKv, parseNumber, parseTarget, rangeOptions } from '../../src/cli/kv-arguments.js';
import { bytesAs, lineOf } from '../../src/cli/kv-printing.js';
import { parseTxn } from '../../src/cli/kv-txn-parse.js';
import { decode } from '../../src/cli/stdin.js';
import { compare, fromKey, get, prefix, put, range, remove } from '../../src/index.js';

function usageOf(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    if (error instanceof Failure && error.status === 64) return error.message;
    throw error;
  }
  throw new Error('understood');
}

const targetOf = (...args: readonly string[]): unknown =>
  parseTarget(parseKv(args, { usage: 'usage', least: 1, most: 1 }, rangeOptions), 'usage');

describe('the keys that a kv command is about', () => {
  it.each([
    [['a'], 'a'],
    [['a', '--prefix'], prefix('a')],
    [['', '--prefix'], prefix('')],
    [['a', '--from-key'], fromKey('a')],
    [['a', '--end', 'c'], range('a', 'c')],
  ])('%j', (args, target) => {
    expect(targetOf(...args)).toEqual(target);
  });

  it.each([
    [[], 'a key is missing'],
    [['a', 'b'], '"b" is too much'],
    [[''], 'the key is empty'],
    [['', '--from-key'], 'the key is empty'],
    [['a', '--prefix', '--end', 'b'], 'exclude each other'],
    [['a', '--end', ''], 'range end must not be empty'],
  ])('%j is answered with: %s', (args, text) => {
    expect(usageOf(() => targetOf(...args))).toContain(text);
  });

  it('may be given a lease as etcdctl shows it', () => {
    expect([parseNumber('17', '--lease'), parseNumber('0x7D', '--lease')]).toEqual([17n, 125n]);
    expect(usageOf(() => parseNumber('7d', '--lease'))).toContain('--lease: "7d" is not');
  });
});

describe('what kv prints', () => {
  it('is base64 under another name if it is no text', () => {
    expect(bytesAs('value', new Uint8Array([0xc3, 0xa4, 10]))).toEqual({ value: 'ä\n' });
    expect(bytesAs('value', new Uint8Array([0xff]))).toEqual({ valueBase64: '/w==' });
  });

  it('never speaks to the terminal, and stays on its line', () => {
    expect(lineOf(Buffer.from('a\n\tb\u001b[2J'))).toBe('a\\u{a}\\u{9}b\\u{1b}[2J');
  });
});

describe('text on stdin', () => {
  it('is refused if it is no UTF-8, instead of being stored as something else', () => {
    expect(() => decode(Buffer.from([0x22, 0xff, 0x22]))).toThrow(Failure);
    expect(decode(Buffer.from('\ufeff"ä"'))).toBe('"ä"');
  });
});

describe('a transaction in JSON', () => {
  it('says what the library would be told', () => {
    const text = `{
      "if": [
        { "key": "a", "value": "1" }, { "key": "b", "version": { ">": 3 } },
        { "key": "c/", "prefix": true, "modRevision": { "<": "9007199254740993" } },
        { "key": "d", "end": "e", "lease": "0x7d" }, { "key": { "base64": "/w==" }, "value": { "!=": { "base64": "/w==" } } }
      ],
      "then": [{ "put": "a", "value": "2" }, { "put": "b", "value": "", "lease": 7 }, { "del": "c/", "prefix": true }],
      "else": [{ "get": "a" }, { "get": "c/", "prefix": true, "limit": 2, "keysOnly": true }]
    }`;
    const bytes = new Uint8Array([0xff]);
    expect(parseTxn(text)).toEqual({
      if: [
        compare.value('a', '=', '1'),
        compare.version('b', '>', 3n),
        compare.modRevision(prefix('c/'), '<', 9_007_199_254_740_993n),
        compare.lease(range('d', 'e'), '=', 0x7dn),
        compare.value(bytes, '!=', bytes),
      ],
      then: [put('a', '2'), put('b', '', { lease: 7n }), remove(prefix('c/'))],
      else: [get('a'), get(prefix('c/'), { limit: 2, keysOnly: true })],
    });
  });

  it('may be empty', () => {
    expect(parseTxn('{}')).toEqual({ if: [], then: [], else: [] });
  });

  it.each([
    ['', 'is no JSON'],
    ['[]', 'the transaction: is no object'],
    ['{"than":[]}', 'has "than"; known are if, then, else'],
    ['{"then":{}}', 'then: is no list'],
    ['{"then":[{"put":"a"}]}', 'then[0].value: is neither text'],
    ['{"then":[{"put":"a","value":1}]}', 'then[0].value: is neither text'],
    ['{"then":[{"get":"a"},{"put":"a","del":"b"}]}', 'then[1]: needs one of get, put and del; it has 2'],
    ['{"then":[{"put":"a","value":"b","prefix":true}]}', 'then[0]: has "prefix"'],
    ['{"else":[{"get":""}]}', 'else[0]: key must not be empty'],
    ['{"else":[{"get":"a","prefix":true,"end":"b"}]}', 'exclude each other'],
    ['{"else":[{"get":"a","prefix":"yes"}]}', 'else[0].prefix: is neither true nor false'],
    ['{"if":[{"key":"a"}]}', 'if[0]: needs one of value, version'],
    ['{"if":[{"key":"a","value":"1","version":1}]}', 'it has 2'],
    ['{"if":[{"key":"a","version":{"=>":1}}]}', 'if[0].version: needs one of = != < >'],
    ['{"if":[{"key":"a","version":{">":1,"<":3}}]}', 'if[0].version: needs one of = != < >'],
    ['{"if":[{"key":"a","version":1.5}]}', 'if[0].version: is no whole number'],
    ['{"if":[{"key":"a","version":9007199254740993}]}', 'if[0].version: is no whole number'],
    ['{"if":[{"key":"a","value":{"base64":"_"}}]}', 'if[0].value: is neither text'],
  ])('%s is answered with: %s', (text, complaint) => {
    expect(usageOf(() => parseTxn(text))).toContain(complaint);
  });
});
