import { describe, expect, it } from 'vitest';
import { type Bytes, compareBytes, equalBytes, toBytes, toText } from '../../src/base/bytes.js';

describe('bytes', () => {
  it('are the UTF-8 of a text', () => {
    expect(toBytes('aé')).toEqual(new Uint8Array([0x61, 0xc3, 0xa9]));
    expect(toBytes('')).toEqual(new Uint8Array());
  });

  it('come out of a text as they went in, a byte order mark included', () => {
    for (const text of ['', 'key', 'grün/日本/🔒', '\uFEFFkey', '\0'])
      expect(toText(toBytes(text))).toBe(text);
  });

  it('refuse a lone surrogate, which would silently become another key', () => {
    expect(() => toBytes('a\uD800')).toThrow(TypeError);
    expect(() => toBytes('\uDC00a', 'key')).toThrow('key contains a lone surrogate');
  });

  it.each([undefined, null, 7, {}, [1], new ArrayBuffer(1)])('refuse %o', (value) => {
    expect(() => toBytes(value as Bytes, 'key')).toThrow(new TypeError('key must be a string or Uint8Array'));
  });

  it('are a copy, so that a caller may use its buffer again while a request or a watch still needs it', () => {
    const buffer = Buffer.from('before');
    const bytes = toBytes(buffer);
    buffer.write('AFTER!');
    expect(toText(bytes)).toBe('before');
  });

  it('are ordered as etcd orders keys: unsigned, the shorter first', () => {
    const sorted = [[], [0], [0, 0], [1], [0x7f], [0x80], [0xff], [0xff, 0]].map((b) => new Uint8Array(b));
    expect([...sorted].reverse().sort(compareBytes)).toEqual(sorted);
  });

  it('are equal byte by byte, whatever they are a window of', () => {
    expect(equalBytes(Buffer.from('xab').subarray(1), toBytes('ab'))).toBe(true);
    expect(equalBytes(toBytes('ab'), toBytes('abc'))).toBe(false);
    expect(equalBytes(toBytes('ab'), toBytes('ac'))).toBe(false);
  });
});
