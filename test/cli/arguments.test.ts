import { afterEach, describe, expect, it, vi } from 'vitest';
import { parse } from '../../src/cli/arguments.js';
import { Failure } from '../../src/cli/failure.js';
import { parseLock } from '../../src/cli/lock.js';

afterEach(() => vi.unstubAllEnvs());

function usageOf(...args: string[]): string {
  try {
    parseLock(args);
  } catch (error) {
    if (error instanceof Failure && error.status === 64) return error.message;
    throw error;
  }
  throw new Error(`understood: ${args.join(' ')}`);
}

function endpoints(...args: string[]): readonly string[] {
  return parse(args, {}).store.endpoints;
}

describe('lock', () => {
  it('waits for ever, with the TTL of the library, if nothing else is said', () => {
    const request = parseLock(['orders/42', '--', 'make', 'all']);
    expect(request).toMatchObject({
      places: ['orders/42'],
      ttlMs: 15_000,
      timeoutMs: Infinity,
      isJson: false,
    });
    expect(request.command).toEqual(['make', 'all']);
  });

  it('leaves to the command what stands behind "--"', () => {
    const request = parseLock(['a', '--', 'make', '--help', '--', '--ttl', '1']);
    expect(request.command).toEqual(['make', '--help', '--', '--ttl', '1']);
  });

  it('takes its options on either side of the name', () => {
    const request = parseLock(['--ttl', '2s', 'a', '--timeout=5s', '--namespace', 'n']);
    expect(request).toMatchObject({ places: ['a'], ttlMs: 2_000, timeoutMs: 5_000, command: undefined });
    expect(request.store.namespace).toBe('n');
  });

  it('does not wait with --try, nor with a timeout of 0', () => {
    expect(parseLock(['a', '--try']).timeoutMs).toBe(0);
    expect(parseLock(['a', '--timeout', '0']).timeoutMs).toBe(0);
  });

  it('takes a raw prefix in the place of the name', () => {
    expect(parseLock(['--path', '/locks/a', '--', 'true']).places).toEqual([{ path: '/locks/a' }]);
  });

  it('takes several names, if a command follows', () => {
    expect(parseLock(['a', 'b', '--ttl', '2s', 'c', '--', 'make']).places).toEqual(['a', 'b', 'c']);
  });

  it.each([
    [[], 'a name is missing'],
    [['--', 'true'], 'a name is missing'],
    [['a', '--'], 'nothing to run'],
    [['a', 'true'], 'the command stands behind "--"'],
    [['a', '--path', 'p'], 'in the place of the name'],
    [['a', 'b', '--path', 'p', '--', 'true'], 'the command stands behind "--"'],
    [['a', '--ttl', '1s'], '2s at least'],
    [['a', '--ttl', '2500ms'], 'whole seconds'],
    [['a', '--ttl', '15'], 'no unit'],
    [['a', '--try', '--timeout', '1s'], '--try does not wait'],
    [['a', '--tll', '15s'], "Unknown option '--tll'; see --help"],
    [['a', '--ttl'], '--ttl'],
  ])('%j is answered with: %s', (args, text) => {
    expect(usageOf(...args)).toContain(text);
  });
});

describe('a password', () => {
  it.each([['--password=secret'], ['--password', 'secret']])('is not taken from %s', (...args) => {
    expect(usageOf('a', ...args)).toContain('can be read by everybody');
    expect(usageOf('a', ...args)).not.toContain('secret');
  });
});

describe('the endpoints', () => {
  it('are that of this machine if nothing is said', () => {
    vi.stubEnv('CONCLAVE_ENDPOINTS', undefined);
    expect(endpoints()).toEqual(['http://127.0.0.1:2379']);
    expect(endpoints('--ca', 'ca.pem')).toEqual(['https://127.0.0.1:2379']);
  });

  it('come from the environment, unless they are given', () => {
    vi.stubEnv('CONCLAVE_ENDPOINTS', 'http://a:1, http://b:2');
    expect(endpoints()).toEqual(['http://a:1', 'http://b:2']);
    expect(endpoints('--endpoints', 'http://c:3')).toEqual(['http://c:3']);
  });

  it('may lack a scheme, as with etcdctl', () => {
    expect(endpoints('--endpoints', 'a:1,https://b:2')).toEqual(['http://a:1', 'https://b:2']);
    expect(endpoints('--endpoints', 'a:1', '--cert', 'c', '--key', 'k')).toEqual(['https://a:1']);
  });

  it('are never the embedded engine, which no other process sees', () => {
    expect(() => endpoints('--endpoints', 'memory:')).toThrow('within one process');
  });
});
