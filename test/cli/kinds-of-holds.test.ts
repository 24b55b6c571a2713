import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { parseElect } from '../../src/cli/elect.js';
import { Failure } from '../../src/cli/failure.js';
import { parseKind } from '../../src/cli/kinds.js';
import { parseRwLock } from '../../src/cli/rwlock.js';
import { parseSemaphore } from '../../src/cli/semaphore.js';

function usageOf(parse: (args: readonly string[]) => unknown, args: readonly string[]): string {
  try {
    parse(args);
  } catch (error) {
    if (error instanceof Failure && error.status === 64) return error.message;
    throw error;
  }
  throw new Error(`understood: ${args.join(' ')}`);
}

describe('rwlock', () => {
  it.each(['read', 'write'])('is wanted for --%s', (mode) => {
    const request = parseRwLock(['a', `--${mode}`, '--timeout', '5s', '--', 'make']);
    expect(request).toMatchObject({ place: 'a', mode, timeoutMs: 5_000, ttlMs: 15_000, command: ['make'] });
  });

  it.each([
    [['a', '--', 'make'], 'either --read or --write'],
    [['a', '--read', '--write'], 'either --read or --write'],
    [['--read'], 'a name is missing'],
    [['a', 'make', '--read'], 'the command stands behind "--"'],
    [['a', '--path', 'p', '--read'], 'in the place of the name'],
  ])('%j is answered with: %s', (args, text) => {
    expect(usageOf(parseRwLock, args)).toContain(text);
  });
});

describe('semaphore', () => {
  it('takes one permit, of as many as are stored, if nothing else is said', () => {
    expect(parseSemaphore(['a', '--', 'make'])).toMatchObject({ place: 'a', permits: 1, limit: undefined });
  });

  it('takes several permits, and names the limit', () => {
    expect(parseSemaphore(['a', '--permits', '2', '--limit=3'])).toMatchObject({ permits: 2, limit: 3 });
  });

  it('is resized by name and by path', () => {
    expect(parseSemaphore(['a', '--resize', '5'])).toMatchObject({ place: 'a', resize: 5 });
    expect(parseSemaphore(['--path', '/p', '--resize', '5'])).toMatchObject({ place: { path: '/p' } });
  });

  it.each([
    [['a', '--permits', '0'], '--permits: "0" is not a whole number, 1 or more'],
    [['a', '--limit', '1.5'], '--limit: "1.5" is not'],
    [['a', '--limit', '99999999999999999999'], 'is not a whole number'],
    [['a', '--resize', 'x'], '--resize: "x" is not'],
    [['a', '--permits', '4', '--limit', '3'], '4 permits of 3 would never be free'],
    [['a', '--resize', '5', '--limit', '3', '--try'], '--resize goes without --limit, --try'],
    [['a', '--resize', '5', '--', 'make'], '--resize runs no command'],
    [['--resize', '5'], 'a name is missing'],
  ])('%j is answered with: %s', (args, text) => {
    expect(usageOf(parseSemaphore, args)).toContain(text);
  });
});

describe('elect', () => {
  it('stands for host and process, if nothing else is said', () => {
    const request = parseElect(['a', '--', 'make']);
    expect(request).toMatchObject({ place: 'a', value: `${hostname()}:${process.pid}`, command: ['make'] });
    expect(request).toMatchObject({ priority: undefined, timeoutMs: Infinity });
  });

  it('stands for a value, an empty one, too', () => {
    expect(parseElect(['a', 'host-7'])).toMatchObject({ place: 'a', value: 'host-7' });
    expect(parseElect(['a', ''])).toMatchObject({ place: 'a', value: '' });
  });

  it('takes a path in the place of the name, and the value after it', () => {
    expect(parseElect(['--path', '/p', 'host-7'])).toMatchObject({ place: { path: '/p' }, value: 'host-7' });
  });

  it.each([
    ['--priority=-1.5', -1.5],
    ['--priority=10', 10],
  ])('takes %s', (option, priority) => {
    expect(parseElect(['a', option])).toMatchObject({ priority });
  });

  it('only looks with --observe', () => {
    expect(parseElect(['--observe', 'a'])).not.toHaveProperty('value');
    expect(parseElect(['--observe', '--path', '/p'])).toMatchObject({ place: { path: '/p' } });
  });

  it.each([
    [[], 'a name is missing'],
    [['a', 'v', 'make'], 'the command stands behind "--"'],
    [['a', '--priority', 'high'], '--priority: "high" is not a number'],
    [['a', '--priority', ''], '--priority: "" is not a number'],
    [['--path', '/p', '--priority', '1'], '--priority has no meaning with --path'],
    [['--observe'], 'a name is missing'],
    [['--observe', 'a', 'v'], 'a name and no value'],
    [['--observe', 'a', '--ttl', '5s', '--priority', '1'], '--observe goes without --priority, --ttl'],
    [['--observe', 'a', '--', 'make'], '--observe runs no command'],
  ])('%j is answered with: %s', (args, text) => {
    expect(usageOf(parseElect, args)).toContain(text);
  });
});

describe('--kind', () => {
  it.each([
    ['mutex', 'mutex'],
    ['rwlock', 'rwLock'],
    ['rwLock', 'rwLock'],
    ['Election', 'election'],
  ])('%s is %s', (text, kind) => {
    expect(parseKind(text)).toBe(kind);
  });

  it('names all there are if there is no such kind', () => {
    expect(usageOf(() => parseKind('lock'), [])).toBe(
      '--kind: there is no "lock", but mutex, rwlock, semaphore, election',
    );
  });
});
