import { describe, expect, it } from 'vitest';
import { livesOf } from '../lives.js';
import type { Change, Operation } from '../record.js';
import { judgeDelays } from './delays.js';
import { judgeHandovers } from './handovers.js';
import { judgeErrors, judgeReasons } from './reasons.js';

/** One change at each revision and millisecond, of a key that is put or (`-key`) deleted. */
function changesOf(...keys: readonly (string | readonly [key: string, value: string])[]): Change[] {
  const created = new Map<string, number>();
  return keys.map((each, i): Change => {
    const [name, value] = typeof each === 'string' ? [each, ''] : each;
    const key = name.replace(/^-/, '');
    const revision = i + 1;
    const createRevision = created.get(key) ?? revision;
    created.set(key, createRevision);
    const type = name.startsWith('-') ? 'delete' : 'put';
    return { revision, at: revision, type, key, value, createRevision, version: 1, lease: '1' };
  });
}

function operation(call: string, more: Partial<Operation>): Operation {
  const times = { invokedAt: 0, returnedAt: 100 };
  const told = { input: {}, output: {}, outcome: 'ok' as const, error: undefined };
  return { id: 'a:1', client: 'a', call, on: 'x', ...told, ...times, ...more };
}

describe('I10, reasons', () => {
  const options = { sessions: 's/', ttlMs: 10 };
  const rulesOf = (changes: readonly Change[], ...operations: readonly Operation[]): string[] =>
    judgeReasons(operations, livesOf(changes), options).map(({ rule }) => rule);
  const conflict = operation('acquire', { outcome: 'no', error: 'CONFLICT' });
  const lost = operation('release', { outcome: 'no', error: 'HOLD_LOST', input: { key: 't/1' } });

  it('as long as no session has ended nobody is told that his ticket is missing', () => {
    expect(rulesOf(changesOf('s/1', 't/1'), conflict)).toEqual(['I10']);
    expect(rulesOf(changesOf('s/1', 't/1', '-s/1'), conflict)).toEqual([]);
  });

  it('whatever has ended, nobody is told what no fault explains', () => {
    const compacted = operation('acquire', { outcome: 'no', error: 'COMPACTED' });
    expect(judgeErrors([compacted, conflict, lost])).toMatchObject([{ rule: 'I10' }]);
  });

  it('whose session lives on is not told that what he gives back was lost', () => {
    expect(rulesOf(changesOf('s/1', 't/1', '-t/1'), lost)).toEqual(['I10']);
    expect(rulesOf(changesOf('s/1', 't/1', '-s/1', '-t/1'), lost)).toEqual([]);
    expect(rulesOf(changesOf('s/1', 't/1', '-s/1', '-t/1', 's/1'), lost)).toEqual([]); // by a late copy
    expect(rulesOf(changesOf('s/1', 't/1'), lost)).toEqual([]);
  });
});

describe('I7, transfers', () => {
  const transfer = operation('transfer', { input: { token: 1, to: 'e/3' } });
  const count = (...keys: readonly string[]): number =>
    judgeHandovers([transfer], livesOf(changesOf(...keys)), 'e/').length;

  it('nobody stands between a leader that has handed over and the one it has named', () => {
    expect(count('e/1', 'e/2', 'e/3', '-e/1')).toBe(1);
    expect(count('e/1', 'e/2', 'e/3', '-e/2', '-e/1')).toBe(0);
    expect(count('e/1', 'e/2', 'e/3', '-e/3', '-e/1')).toBe(0);
  });
});

describe('a lock delay', () => {
  const count = (delayMs: number, ...keys: readonly (string | readonly [string, string])[]): number => {
    const changes = changesOf(...keys);
    return judgeDelays(changes, livesOf(changes), { marker: 'd', delayMs }).length;
  };

  it('is waited for when a holder was lost, and not when it has given back', () => {
    expect(count(10, 't/1', ['d', 't/1'], '-t/1', 't/2', ['d', 't/2'])).toBe(1);
    expect(count(2, 't/1', ['d', 't/1'], '-t/1', 't/2', ['d', 't/2'])).toBe(0);
    expect(count(10, 't/1', ['d', 't/1'], '-t/1', '-d', 't/2', ['d', 't/2'])).toBe(0);
  });
});
