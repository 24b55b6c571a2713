import { describe, expect, it } from 'vitest';
import { lockCalls } from './lock-calls.js';
import { type LockKind, mutex, rwLock, semaphore } from './lock-kinds.js';
import { lockStory, type LockStory } from './stories/lock-story.js';
import { type LockCall, lockModel } from './models/lock.js';
import { type Change, type Operation, operationsOf } from './record.js';
import { linearize, type Timed } from './wgl.js';

function callsOf(story: Omit<LockStory, 'line'>): Timed<LockCall>[] {
  const { entries, changes } = lockStory({ ...story, line: 'conclave/lock/it/' });
  return lockCalls(story.kind, operationsOf(entries), changes);
}

/** It was told of the lock before the one who held it had given it back. */
function overlapping(calls: readonly Timed<LockCall>[]): Timed<LockCall>[] {
  const middle = calls.findIndex(({ call, from }) => call.kind === 'release' && from > lastOf(calls) / 2);
  const early = calls
    .filter(({ call, to }) => call.kind === 'acquire' && to > calls[middle]!.to)
    .reduce((a, b) => (a.to < b.to ? a : b));
  const told = calls[middle]!.from - 0.01;
  return calls.map((each) =>
    each === early ? { ...each, from: Math.min(each.from, told - 0.01), to: told } : each,
  );
}

function lastOf(calls: readonly Timed<LockCall>[]): number {
  return calls.reduce((last, { to }) => (to === Infinity ? last : Math.max(last, to)), 0);
}

const kinds: readonly LockKind[] = [mutex, rwLock, semaphore(4)];

describe.each(kinds)('a history of a $name', (kind) => {
  it.each([0, 0.01, 0.2])('is linearizable, though a part of %d of the outcomes is unknown', (unknown) => {
    for (let seed = 1; seed <= 8; seed++) {
      const calls = callsOf({ seed, kind, rounds: 100, unknown, losses: 0.1 });
      expect(linearize(lockModel(kind), calls)).toMatchObject({ kind: 'linearizable' });
    }
  });

  it('is not, once a write is accepted whose hold was given back', () => {
    const calls = callsOf({ seed: 5, kind, rounds: 100 });
    const late = calls.map((each) =>
      each.call.kind === 'write' && each.from > lastOf(calls) / 2 && each.from < lastOf(calls) / 2 + 20
        ? { ...each, from: each.to + 50, to: each.to + 51 }
        : each,
    );
    expect(linearize(lockModel(kind), late)).toMatchObject({ kind: 'illegal' });
  });

  it('is not, once a token is smaller than one before it', () => {
    const calls = callsOf({ seed: 6, kind, rounds: 100 });
    const middle = calls.findIndex(({ call, from }) => call.kind === 'acquire' && from > lastOf(calls) / 2);
    const wrong = calls.map((each, i) =>
      i === middle && each.call.kind === 'acquire' ? { ...each, call: { ...each.call, token: 3 } } : each,
    );
    expect(linearize(lockModel(kind), wrong)).toMatchObject({ kind: 'illegal' });
  });
});

it('finds one overlapping grant among 4,000 calls, and says which', () => {
  const calls = callsOf({ seed: 2, kind: mutex, rounds: 1_340, unknown: 0.02, losses: 0.05 });
  expect(calls.length).toBeGreaterThan(3_800);
  expect(linearize(lockModel(mutex), calls)).toMatchObject({ kind: 'linearizable' });

  const verdict = linearize(lockModel(mutex), overlapping(calls));

  expect(verdict).toMatchObject({ kind: 'illegal' });
  expect('report' in verdict && verdict.report).toMatch(/none of these can be next:\n {2}c\d: /);
});

it('goes through 10,000 calls of 8 clients without searching', () => {
  const calls = callsOf({ seed: 3, kind: mutex, rounds: 3_340 });
  expect(calls.length).toBeGreaterThan(10_000);
  const { kind, steps } = linearize(lockModel(mutex), calls);
  expect(kind).toBe('linearizable');
  expect(steps).toBeLessThan(100_000);
});

it('says so when it gives up', () => {
  const calls = callsOf({ seed: 4, kind: mutex, rounds: 100 });
  expect(linearize(lockModel(mutex), calls, { maxSteps: 50 })).toMatchObject({ kind: 'gave up' });
});

it('lets an unknown call have happened, late or never, and not early', () => {
  const acquire = (key: string, token: number, from: number, to: number): Timed<LockCall> => {
    return { client: key, from, to, call: { kind: 'acquire', key, token, weight: 1 } };
  };
  const release = (key: string, from: number, to = Infinity): Timed<LockCall> => {
    return { client: key, from, to, call: { kind: 'release', key } };
  };
  const judge = (...calls: Timed<LockCall>[]): string => linearize(lockModel(mutex), calls).kind;

  expect(judge(acquire('a', 1, 0, 1), release('a', 2), acquire('b', 2, 50, 51))).toBe('linearizable');
  expect(judge(acquire('a', 1, 0, 1), release('a', 2))).toBe('linearizable');
  expect(judge(acquire('a', 1, 0, 1), release('a', 5), acquire('b', 2, 3, 4))).toBe('illegal');
});

it('a hold whose key was deleted has ended at some time since its grant, until that was seen', () => {
  const lost = acquired('a', 1, 0);
  const next = acquired('b', 2, 10);
  expect(verdictOf([lost, next], { a: 50 })).toBe('linearizable');
  expect(verdictOf([lost, next], { a: 9 })).toBe('linearizable');
  expect(verdictOf([lost, next], {})).toBe('illegal');
  expect(verdictOf([lost, next, written('a', 1, 20)], { a: 50 })).toBe('illegal');
});

it('what was surely given back is not held until an answer that never came', () => {
  const [first, again] = [
    released('a', 10),
    { ...released('a', 30), outcome: 'unknown' as const, returnedAt: Infinity },
  ];
  expect(verdictOf([acquired('a', 1, 0), first, again], {})).toBe('linearizable');
  expect(verdictOf([acquired('a', 1, 0), first, written('a', 1, 20), again], {})).toBe('illegal');
});

it('a writer that was lost while it became a reader may have let readers in', () => {
  const writer = { ...acquired('a', 1, 0), input: { mode: 'write' } };
  const reader = { ...acquired('b', 2, 20), input: { mode: 'read' } };
  const lost = {
    ...called('downgrade', 'a', 10),
    input: { key: 'a' },
    outcome: 'no' as const,
    error: 'HOLD_LOST',
  };
  expect(verdictOf([writer, lost, reader], {}, rwLock)).toBe('linearizable');
  expect(verdictOf([writer, { ...lost, error: 'ALREADY_HELD' }, reader], {}, rwLock)).toBe('illegal');
});

function verdictOf(
  operations: readonly Operation[],
  deletedAt: Readonly<Record<string, number>>,
  kind: LockKind = mutex,
): string {
  const changes = Object.entries(deletedAt).map(([key, at]): Change => {
    return { revision: 9, at, type: 'delete', key, value: '', createRevision: 0, version: 0, lease: '0' };
  });
  return linearize(lockModel(kind), lockCalls(kind, operations, changes)).kind;
}

function acquired(key: string, token: number, at: number): Operation {
  return { ...called('acquire', key, at), output: { key, token } };
}

function written(key: string, token: number, at: number): Operation {
  return { ...called('write', key, at), input: { key, token } };
}

function released(key: string, at: number): Operation {
  return { ...called('release', key, at), input: { key } };
}

function called(call: string, client: string, at: number): Operation {
  const times = { invokedAt: at, returnedAt: at + 1 };
  return {
    client,
    id: `${client} ${at}`,
    call,
    on: 'it',
    input: {},
    output: {},
    outcome: 'ok',
    error: undefined,
    ...times,
  };
}
