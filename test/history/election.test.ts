import { expect, it } from 'vitest';
import { electionCalls } from './election-calls.js';
import { judgeObservers, reignsIn } from './invariants/reigns.js';
import { livesOf } from './lives.js';
import { electionModel } from './models/election.js';
import { type Entry, type Facts, notesOf, operationsOf } from './record.js';
import { electionStory } from './stories/election-story.js';
import { type MadeUp, Stage } from './stories/stage.js';
import { linearize } from './wgl.js';

function verdict({ entries, changes }: MadeUp): string {
  return linearize(electionModel, electionCalls(operationsOf(entries), changes)).kind;
}

function observers({ entries, changes }: MadeUp): string[] {
  const reigns = reignsIn(livesOf(changes), 'conclave/election/it/');
  return judgeObservers(notesOf(entries), reigns).map(({ what }) => what);
}

/** Another output of the nth return of such a call, where there is a leader. */
function withOutput(story: MadeUp, call: string, change: (output: Facts) => Facts, nth = 10): MadeUp {
  const ids = operationsOf(story.entries)
    .filter((each) => each.call === call && each.output['token'] !== undefined)
    .map(({ id }) => id);
  const entries = story.entries.map((entry): Entry =>
    entry.kind === 'return' && entry.id === ids[nth] ? { ...entry, output: change(entry.output) } : entry,
  );
  return { ...story, entries };
}

function withNote(story: MadeUp, change: (facts: Facts) => Facts, nth = 30): MadeUp {
  const note = notesOf(story.entries).filter(({ facts }) => facts['token'] !== undefined)[nth]!;
  const entries = story.entries.map((entry) =>
    entry === note ? { ...note, facts: change(note.facts) } : entry,
  );
  return { ...story, entries };
}

it('all is well with what is as it should be', () => {
  for (let seed = 1; seed <= 5; seed++) {
    for (const more of [{}, { losses: 0.2 }, { losses: 0.2, unknown: 0.1 }]) {
      const story = electionStory({ seed, rounds: 40, ...more });
      expect(verdict(story)).toBe('linearizable');
      expect(observers(story)).toEqual([]);
      expect(notesOf(story.entries).length).toBeGreaterThan(50);
    }
  }
});

it.each<[string, string, (output: Facts) => Facts]>([
  ['a term that is smaller than one before', 'campaign', (output) => ({ ...output, token: 2 })],
  ['a leader that was not', 'leader', ({ value }) => ({ value, token: 1 })],
  ['a value that was not proclaimed', 'leader', ({ token }) => ({ token, value: 'x' })],
])('the model cannot explain %s', (_, call, change) => {
  const story = electionStory({ seed: 3, rounds: 40, losses: 0.1, unknown: 0.05 });
  expect(verdict(withOutput(story, call, change))).toBe('illegal');
});

it('the model cannot explain that nobody leads while one does', () => {
  const story = electionStory({ seed: 4, rounds: 40 });
  const wrongs = Array.from({ length: 12 }, (_, nth) =>
    verdict(withOutput(story, 'leader', () => ({}), nth)),
  );
  expect(wrongs).toContain('illegal'); // where the same one led all the time
});

it('the model cannot explain two leaders at a time', () => {
  const story = electionStory({ seed: 4, rounds: 40 });
  const campaigns = operationsOf(story.entries).filter(
    ({ call, outcome }) => call === 'campaign' && outcome === 'ok',
  );
  const waiting = campaigns.find(({ invokedAt, returnedAt }) => returnedAt - invokedAt > 5)!;
  const entries = story.entries.map((entry) =>
    entry.kind === 'return' && entry.id === waiting.id ? { ...entry, at: waiting.invokedAt + 2 } : entry,
  );
  expect(verdict({ ...story, entries })).toBe('illegal');
});

it.each<[string, (facts: Facts) => Facts]>([
  ['a leader that was not', (facts) => ({ ...facts, token: 1 })],
  ['a value that was not', (facts) => ({ ...facts, value: 'x' })],
  ['one who did not lead at that revision', (facts) => ({ ...facts, revision: 2 })],
])('an observer was told of %s', (_, change) => {
  const story = withNote(electionStory({ seed: 5, rounds: 40 }), change);
  expect(observers(story)).toEqual([expect.stringMatching(/^o\d was told of/)]);
});

it('an observer was told of an old leader after a new one', () => {
  const story = electionStory({ seed: 5, rounds: 40 });
  const withoutRevision = (facts: Facts): Facts => ({ token: facts['token'], value: facts['value'] });
  const notes = notesOf(story.entries).filter(
    ({ client, facts }) => client === 'o1' && facts['token'] !== undefined,
  );
  const old = notes[3]!;
  const entries = story.entries.map((entry) =>
    entry.kind === 'note'
      ? { ...entry, facts: withoutRevision(entry === notes[30] ? old.facts : entry.facts) }
      : entry,
  );
  expect(observers({ ...story, entries })).toEqual([
    expect.stringMatching(/^o1 was told of .*: not so, or not after/),
  ]);
});

it('between a leader and the one that follows it at once there is nobody without one', () => {
  const stage = new Stage(1);
  stage.put('conclave/election/it/a-1', { value: 'a' });
  stage.put('conclave/election/it/b-1', { value: 'b' });
  stage.delete('conclave/election/it/a-1');
  const tell = (facts: Facts): void => stage.note('o', 'leader', 'it', facts);
  tell({ token: 2, value: 'a' });
  tell({ token: 3, value: 'b' });
  expect(observers(stage)).toEqual([]);

  stage.entries.splice(1, 0, { ...notesOf(stage.entries)[0]!, facts: {} });
  expect(observers(stage)).toEqual([expect.stringMatching(/^o was told of \{\}: not so/)]);
});

it('an observer was told of the same leader twice, or not of one that came between', () => {
  const stage = new Stage(1);
  for (const each of ['a', 'b', 'c']) {
    stage.put(`conclave/election/it/${each}-1`, { value: each });
    stage.delete(`conclave/election/it/${each}-1`);
  }
  const told = (...facts: Facts[]): number => {
    const notes = facts.map((each) => {
      return { kind: 'note' as const, at: 0, client: 'o', what: 'leader', on: 'it', facts: each };
    });
    const reigns = reignsIn(livesOf(stage.changes), 'conclave/election/it/');
    return judgeObservers(notes, reigns, { isWhole: true }).length;
  };
  const [a, b] = [
    { token: 2, value: 'a' },
    { token: 4, value: 'b' },
  ];
  expect(told(a, {}, b)).toBe(0);
  expect(told(b, {})).toBe(0); // who looks on from then on
  expect(told(a, a)).toBe(1);
  expect(told(a, b)).toBe(1);
});

it('who has handed over may have gone before it gives the rest back', () => {
  const stage = new Stage(1);
  const [first, next] = ['conclave/election/it/a-1', 'conclave/election/it/b-1'];
  const lead = stage.invoke('a', 'campaign', 'it', { value: 'a' });
  const wait = stage.invoke('b', 'campaign', 'it', { value: 'b' });
  const token = stage.put(first, { value: 'a' }, 'a');
  const later = stage.put(next, { value: 'b' }, 'b');
  stage.now++;
  stage.return(lead, 'ok', { key: first, token });
  const transfer = stage.invoke('a', 'transfer', 'it', { key: first, token, to: next });
  stage.now++;
  stage.return(wait, 'ok', { key: next, token: later });
  stage.now++;
  stage.return(transfer, 'ok');
  const resign = stage.invoke('a', 'resign', 'it', { key: first, token });
  stage.now++;
  stage.delete(first); // is seen late
  stage.now++;
  stage.return(resign, 'ok');
  expect(verdict(stage)).toBe('linearizable');
  const entries = stage.entries.filter((entry) => !('id' in entry) || entry.id !== transfer);
  expect(verdict({ entries, changes: stage.changes })).toBe('illegal');
});
