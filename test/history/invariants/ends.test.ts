import { describe, expect, it } from 'vitest';
import { type Life, livesOf } from '../lives.js';
import { mutex } from '../lock-kinds.js';
import { type Entry, type Note, notesOf, operationsOf } from '../record.js';
import { lockStory } from '../stories/lock-story.js';
import { Stage } from '../stories/stage.js';
import { judgeLosses } from './losses.js';
import { judgeRemains } from './remains.js';
import { judgeWitness } from './tokens.js';

const { entries, changes } = lockStory({
  seed: 7,
  kind: mutex,
  line: 'conclave/lock/it/',
  rounds: 60,
  clients: 4,
  losses: 0.4,
});
const lives = livesOf(changes);
const boundMs = 10;

describe('I10', () => {
  const losses = (all: readonly Entry[], bounds = {}): string[] =>
    judgeLosses(all, lives, { boundMs, ...bounds }).map(({ what }) => what);
  const given = new Set(
    operationsOf(entries)
      .filter(({ call }) => call === 'release')
      .map(({ input }) => input['key']),
  );
  // Of one who found it out by nothing else.
  const note = notesOf(entries).find(({ facts }) => !given.has(facts['key']))!;

  it('all is well with what is as it should be', () => {
    expect(notesOf(entries).length).toBeGreaterThan(5);
    expect(losses(entries)).toEqual([]);
  });

  it('nobody was told of a loss', () => {
    const silent = entries.filter((entry) => entry !== note);
    expect(losses(silent)).toEqual([expect.stringMatching(/^c\d .* lost it at .*, and was not told$/)]);
    // It had ended, or the last fault was later.
    expect(losses(silent, { endedAt: () => note.at })).toEqual([]);
    expect(
      losses(
        entries.map((each) => (each === note ? late(90) : each)),
        { healedAt: note.at + 85 },
      ),
    ).toEqual([]);
  });

  function late(ms: number): Note {
    return { ...note, at: note.at + ms };
  }

  it('somebody was told late', () => {
    const told = entries.map((entry) => (entry === note ? late(90) : entry));
    expect(losses(told)).toEqual([expect.stringMatching(/lost it at .*, and was told at/)]);
  });

  it('somebody was told twice', () => {
    expect(losses([...entries, note])).toEqual([expect.stringMatching(/was told 2 times/)]);
  });

  it('somebody was told who had given it back, or never held it', () => {
    const release = operationsOf(entries).find(
      ({ call, outcome }) => call === 'release' && outcome === 'ok',
    )!;
    const wrong = { ...note, at: release.returnedAt + 1, facts: release.input };
    expect(losses([...entries, wrong])).toEqual([expect.stringMatching(/and had given it back at/)]);
    expect(losses([...entries, { ...note, facts: { key: 'k' } }])).toEqual([
      expect.stringMatching(/which it never held/),
    ]);
  });

  it('what somebody lost was had in exchange, by a call that ended so', () => {
    const { client } = note;
    const facts = { key: 'exchanged' };
    const at = 100_000;
    const exchange: Entry[] = [
      { kind: 'invoke', at, client, id: 'x', call: 'acquire', on: 'it', input: {} },
      { ...note, at: at + 1, facts },
      { kind: 'return', at: at + 2, id: 'x', outcome: 'no', output: {}, error: 'HOLD_LOST' },
    ];
    expect(losses([...entries, ...exchange])).toEqual([]);
    expect(losses([...entries, { ...note, at: at + 3, facts }, ...exchange])).toHaveLength(1);
  });
});

describe('I10, of a hold that was exchanged for another', () => {
  const grant = (client: string, key: string, token: number, at: number): Entry[] => [
    { kind: 'invoke', at, client, id: `${token}`, call: 'acquire', on: 'it', input: {} },
    { kind: 'return', at: at + 1, id: `${token}`, outcome: 'ok', output: { key, token } },
  ];
  const ticket = (key: string, createRevision: number, deleteRevision: number): Life => {
    const [createdAt, deletedAt] = [createRevision * 10, deleteRevision * 10];
    return { key, lease: '00a', createRevision, createdAt, deleteRevision, deletedAt, forms: [] };
  };
  const exchanged = [ticket('r', 2, 3), ticket('w', 3, Infinity)];
  const losses = (client: string): number =>
    judgeLosses([...grant('a', 'r', 2, 20), ...grant(client, 'w', 3, 30)], exchanged, { boundMs }).length;

  it("it is not lost, unless the other is another client's", () => {
    expect(losses('a')).toBe(0);
    expect(losses('b')).toBe(1);
  });
});

describe('I8', () => {
  it('nothing is left, but settings and what belongs to others', () => {
    const stage = new Stage(1);
    stage.put('conclave/semaphore/s/limit', '3');
    stage.put('app/it', 'x');
    stage.put('conclave/queue/q/result/j', '{}', '00b');
    stage.put('conclave/lock/it/a-1', '{}', '00a');
    stage.delete('conclave/lock/it/a-1');
    expect(judgeRemains({ namespace: 'conclave', lives: livesOf(stage.changes) })).toEqual([]);
  });

  it('a ticket, a setting on a lease, a marker or a lease is left', () => {
    const stage = new Stage(1);
    stage.put('conclave/lock/it/a-1', '{}', '00a');
    stage.put('conclave/gate/g', '{}', '00a');
    stage.put('conclave/delay/x', '{}');
    const left = judgeRemains({ namespace: 'conclave', lives: livesOf(stage.changes), leases: ['00a'] });
    expect(left.map(({ what }) => what)).toEqual([
      'conclave/lock/it/a-1, put at revision 2, is still there',
      'conclave/gate/g, put at revision 3, is still there',
      'conclave/delay/x, put at revision 4, is still there',
      'lease 00a is still there',
    ]);
  });
});

describe('the revision as a witness', () => {
  it('agrees with the order of calls', () => {
    expect(judgeWitness(operationsOf(entries))).toEqual([]);
  });

  it('does not, if a call tells of a revision before it began', () => {
    const operations = operationsOf(entries);
    const write = operations.findLast(({ call, outcome }) => call === 'write' && outcome === 'ok')!;
    const wrong = operations.map((each) => (each === write ? { ...each, output: { revision: 5 } } : each));
    expect(judgeWitness(wrong)).toMatchObject([{ rule: 'revision witness' }]);
  });
});
