import { describe, expect, it } from 'vitest';
import {
  checkNamespace,
  decodeName,
  encodeName,
  linePrefix,
  type Place,
  sessionKey,
} from '../../src/base/keys.js';

describe('names', () => {
  it.each(['a', 'orders/42', 'a b', '日本', '%2F', '..', '\uFEFF'])('%o come back as they were', (name) => {
    expect(decodeName(encodeName(name))).toBe(name);
  });

  it('are left as they are where another program has put what is none', () => {
    expect(decodeName('100%')).toBe('100%');
  });

  it('never make one line part of another', () => {
    const prefixes = ['a', 'a/', 'a/b', 'a%2Fb', 'ab'].map((name) => linePrefix('ns', 'lock', name));
    for (const one of prefixes)
      for (const other of prefixes) if (one !== other) expect(one.startsWith(other)).toBe(false);
  });

  it.each(['', 7, null, undefined, {}, { path: '' }, { path: 7 }, 'a\uD800', { path: '\uDFFF' }])(
    'refuse %o',
    (place) => {
      expect(() => linePrefix('ns', 'lock', place as Place)).toThrow(TypeError);
    },
  );

  it('have at most 512 bytes, escaped', () => {
    expect(encodeName('x'.repeat(512))).toHaveLength(512);
    expect(() => encodeName('x'.repeat(513))).toThrow(RangeError);
    expect(() => encodeName('/'.repeat(171))).toThrow(RangeError);
  });
});

describe('a namespace', () => {
  it.each(['', '/', '/a', 'a/', 7, 'a\uD800'])('refuses %o', (namespace) => {
    expect(() => checkNamespace(namespace as string)).toThrow(TypeError);
  });

  it('may have several parts', () => {
    expect(checkNamespace('team/app')).toBe('team/app');
  });
});

it('a session has a key of fixed length, so that none is the prefix of another', () => {
  expect(sessionKey('ns', 10n)).toBe('ns/session/000000000000000a');
});
