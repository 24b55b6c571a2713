import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/testing/random.js';
import { judgeLock, lineOf } from '../judge-lock.js';
import type { LineEvidence } from '../line.js';
import { livesOf } from '../lives.js';
import { type LockKind, mutex, rwLock, semaphore } from '../lock-kinds.js';
import { type Change, type Entry, type Facts, operationsOf, type Return, type Violation } from '../record.js';
import { lockStory } from '../stories/lock-story.js';
import { type MadeUp, Stage } from '../stories/stage.js';
import { Witness } from '../witness.js';
import { coverageOf, judgeHolding } from './holding.js';
import { judgeTurns } from './turns.js';

const namespace = 'conclave';
const name = 'it';
const register = 'app/it';

function storyOf(kind: LockKind, seed: number, more: { unknown?: number; losses?: number } = {}): MadeUp {
  return lockStory({ seed, kind, line: lineOf(kind, namespace, name), rounds: 60, clients: 6, ...more });
}

function judge(kind: LockKind, entries: readonly Entry[], changes: readonly Change[]): Violation[] {
  const line = lineOf(kind, namespace, name);
  return judgeLock({ kind, line, operations: operationsOf(entries), changes, lives: livesOf(changes) });
}

/** The rules that were broken, of all that is judged. */
function broken(kind: LockKind, { entries, changes }: MadeUp): string[] {
  const violations = judge(kind, entries, changes);
  return [...new Set(violations.map(({ rule }) => rule))];
}

/** Something else in the place of the nth return of such a call. */
function withReturn(
  story: MadeUp,
  call: string,
  change: (end: Return, all: readonly Entry[]) => Partial<Return>,
  nth = 20,
): MadeUp {
  const ids = new Set(
    story.entries
      .filter((entry) => entry.kind === 'invoke' && entry.call === call)
      .map((e) => 'id' in e && e.id),
  );
  const end = story.entries.filter((e) => e.kind === 'return' && ids.has(e.id) && e.outcome === 'ok')[
    nth
  ] as Return;
  const changed = { ...end, ...change(end, story.entries) };
  return { ...story, entries: story.entries.map((entry) => (entry === end ? changed : entry)) };
}

function withWrite(story: MadeUp, change: (put: Change, facts: Facts) => Partial<Change>): MadeUp {
  const put = story.changes.filter(({ key }) => key === register)[20]!;
  const changed = { ...put, ...change(put, JSON.parse(put.value) as Facts) };
  return { ...story, changes: story.changes.map((each) => (each === put ? changed : each)) };
}

function beginOf({ id }: Return, entries: readonly Entry[]): number {
  return entries.find((entry) => entry.kind === 'invoke' && entry.id === id)!.at;
}

describe.each([mutex, rwLock, semaphore(4)])('$name', (kind) => {
  it('all is well with what is as it should be', () => {
    for (let seed = 1; seed <= 5; seed++) {
      expect(broken(kind, storyOf(kind, seed))).toEqual([]);
      expect(broken(kind, storyOf(kind, seed, { unknown: 0.15, losses: 0.2 }))).toEqual([]);
    }
  });

  it('a grant that is told before its turn breaks I1 and I4', () => {
    const story = withReturn(storyOf(kind, 3), 'acquire', (end, all) => ({ at: beginOf(end, all) + 0.01 }));
    expect(broken(kind, story)).toEqual(expect.arrayContaining(['I4', `linearizable ${kind.name}`]));
    // It had not even put its ticket.
    const early = Array.from({ length: 30 }, (_, nth) =>
      broken(
        kind,
        withReturn(storyOf(kind, 3), 'acquire', (end, all) => ({ at: beginOf(end, all) + 0.01 }), nth),
      ),
    );
    expect(early.flat()).toContain('I1');
  });

  it('a token that another has breaks I2, and was never one of the ticket (I1)', () => {
    let first: Facts = {};
    const story = withReturn(storyOf(kind, 4), 'acquire', ({ output }) => ((first = output), {}), 10);
    const twice = withReturn(story, 'acquire', ({ output }) => ({
      output: { ...output, token: first['token'] },
    }));
    expect(broken(kind, twice)).toEqual(expect.arrayContaining(['I1', 'I2']));
  });

  it('a token that is smaller than that of one who had it before breaks I2', () => {
    const story = withReturn(storyOf(kind, 4), 'acquire', ({ output }) => ({
      output: { ...output, token: 3 },
    }));
    expect(broken(kind, story)).toContain('I2');
  });

  it('a write with a token that does not hold breaks I3', () => {
    const story = withWrite(storyOf(kind, 5), (_, facts) => ({
      value: JSON.stringify({ ...facts, token: 2 }),
    }));
    expect(broken(kind, story)).toEqual(['I3']);
  });

  it('a write that was confirmed, and is not there, breaks I3', () => {
    const story = withWrite(storyOf(kind, 5), () => ({ key: 'elsewhere' }));
    expect(broken(kind, story)).toContain('I3');
  });

  it('a write that nobody has tried breaks I3', () => {
    const story = storyOf(kind, 5);
    const put = story.changes.filter(({ key }) => key === register)[20]!;
    const { token, client, n } = JSON.parse(put.value) as Record<string, number>;
    const once = {
      ...put,
      revision: put.revision + 0.5,
      value: JSON.stringify({ token, client, n: n! + 1 }),
    };
    const changes = story.changes.toSpliced(story.changes.indexOf(put) + 1, 0, once);
    expect(broken(kind, { ...story, changes })).toEqual(['I3']);
  });
});

it('an increment that was lost breaks I3', () => {
  const story = withWrite(storyOf(mutex, 5), (_, facts) => {
    return { value: JSON.stringify({ ...facts, n: Number(facts['n']) - 1 }) };
  });
  expect(broken(mutex, story)).toEqual(['I3']);
});

it('two who hold at a time, each by its ticket, break I1', () => {
  // As if the line were one of four permits.
  const story = storyOf(semaphore(4), 6);
  const line = lineOf(mutex, namespace, name);
  const moved = (key: string): string => key.replace(lineOf(semaphore(4), namespace, name), line);
  const changes = story.changes.map((change) => ({ ...change, key: moved(change.key) }));
  const entries = JSON.parse(moved(JSON.stringify(story.entries))) as Entry[];
  expect(broken(mutex, { entries, changes })).toEqual(
    expect.arrayContaining(['I1', 'I4', 'linearizable mutex']),
  );
});

/** Calls of one client each, one after the other. */
function calls(...all: readonly (readonly [client: string, call: string, facts: Facts])[]): Entry[] {
  return all.flatMap(([client, call, facts], i): Entry[] => [
    { kind: 'invoke', at: 10 * i, client, id: `${i}`, call, on: name, input: facts },
    { kind: 'return', at: 10 * i + 5, id: `${i}`, outcome: 'ok', output: facts },
  ]);
}

it('a hold that is taken again within keeps its token', () => {
  const stage = new Stage(1);
  const key = 'conclave/lock/it/a-1';
  const token = stage.put(key, {});
  const of = (again: number): Entry[] =>
    calls(
      ['a', 'acquire', { key, token }],
      ['a', 'acquire', { key, token: again }],
      ['a', 'release', { key }],
    );
  expect(broken(mutex, { entries: of(token), changes: stage.changes })).toEqual([]);
  expect(broken(mutex, { entries: of(9), changes: stage.changes })).toEqual([
    'I1',
    'I2',
    'linearizable mutex',
  ]);
});

it('a waiter that goes together with the one before it has never held', () => {
  const stage = new Stage(1);
  const [first, second] = ['conclave/lock/it/a-1', 'conclave/lock/it/a-2'];
  stage.put(first, {});
  const token = stage.put(second, {});
  stage.delete(first, second);
  const entries = calls(['a', 'acquire', { key: second, token }]);
  expect(broken(mutex, { entries, changes: stage.changes })).toEqual(['I4']);
});

it('a changed place in the line breaks I4 and nothing else', () => {
  // The one before it waits, and had to go first; it is never told.
  const early = {
    revision: 2,
    at: 0,
    type: 'put',
    key: 'conclave/lock/it/a-1',
    value: '{}',
    lease: '1',
  } as const;
  const changes: Change[] = [
    { ...early, createRevision: 2, version: 1 },
    { ...early, revision: 3, key: 'conclave/lock/it/b-1', createRevision: 3, version: 1 },
  ];
  const grant = { key: 'conclave/lock/it/b-1', token: 3 };
  const entries: Entry[] = [
    { kind: 'invoke', at: 0, client: 'b', id: '1', call: 'acquire', on: 'it', input: {} },
    { kind: 'return', at: 1, id: '1', outcome: 'ok', output: grant },
  ];
  expect(judge(mutex, entries, changes)).toEqual([
    {
      rule: 'I4',
      what: 'b (conclave/lock/it/b-1, token 3) was told at revision 3 that it holds, and stands behind conclave/lock/it/a-1',
    },
  ]);
});

it('a write that was denied and is there breaks I3, whatever is unknown of others', () => {
  const line = lineOf(mutex, namespace, name);
  const stage = new Stage(1);
  const write = (client: string, told: Return['outcome'], isDone: boolean): void => {
    const key = `${line}${client}`;
    const acquire = stage.invoke(client, 'acquire', name);
    const token = stage.put(key, {}, client);
    stage.now++;
    stage.return(acquire, 'ok', { key, token });
    const id = stage.invoke(client, 'write', name, { key, token, register });
    stage.now++;
    if (isDone) stage.put(register, { token, client, n: 1 });
    stage.now++;
    stage.return(id, told);
    stage.delete(key);
  };
  write('a', 'no', true);
  stage.now++;
  write('b', 'unknown', false);
  expect(broken(mutex, stage)).toContain('I3');
});

describe('a dump that is late by up to a second', () => {
  const lagMs = 1_000;
  const line = lineOf(mutex, namespace, name);

  function evidenceOf(
    { entries, changes }: MadeUp,
    witness = new Witness(operationsOf(entries)),
  ): LineEvidence {
    const operations = operationsOf(entries);
    return { kind: mutex, line, operations, changes, lives: livesOf(changes), lagMs, witness };
  }

  /** One holds, the next one is told so as well and writes, and the first one goes 300 ms later. */
  function overlapping(): MadeUp {
    const stage = new Stage(1);
    const take = (client: string): string => {
      const id = stage.invoke(client, 'acquire', name);
      const key = `${line}${client}`;
      const token = stage.put(key, {}, client);
      stage.now++;
      stage.return(id, 'ok', { key, token });
      stage.now++;
      const write = stage.invoke(client, 'write', name, { key, token, register });
      const revision = stage.put(register, { token, client, n: token });
      stage.now++;
      stage.return(write, 'ok', { revision });
      return key;
    };
    const [first, second] = [take('a'), take('b')];
    stage.now += 300;
    stage.delete(first);
    stage.delete(second);
    return stage;
  }

  it('hides no overlap of less than that: a write tells of the revision', () => {
    const evidence = evidenceOf(overlapping());
    expect(judgeHolding(evidence).map(({ rule }) => rule)).toEqual(['I1']);
    expect(judgeTurns(evidence).map(({ rule }) => rule)).toEqual(['I4']);
    expect(coverageOf(evidence)).toEqual({ told: 2, judged: 2 });
  });

  it('hides all of it if nobody writes, and it is known that nothing was looked at', () => {
    const evidence = evidenceOf(overlapping(), new Witness([]));
    expect([...judgeHolding(evidence), ...judgeTurns(evidence)]).toEqual([]);
    expect(coverageOf(evidence)).toEqual({ told: 2, judged: 0 });
  });

  it('lets nothing that is as it should be look wrong', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed);
      const { entries, changes } = storyOf(mutex, seed, { unknown: 0.15, losses: 0.2 });
      let at = 0;
      const late = changes.map((change) => {
        at = Math.max(at, change.at + random.between(0, lagMs));
        return { ...change, at };
      });
      const evidence = evidenceOf({ entries, changes: late });
      expect([...judgeHolding(evidence), ...judgeTurns(evidence)]).toEqual([]);
      expect(coverageOf(evidence).judged).toBeGreaterThan(10);
    }
  });
});
