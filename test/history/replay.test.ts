import { expect, it } from 'vitest';
import { mutex } from './lock-kinds.js';
import type { Change } from './record.js';
import { judgeReplay } from './replay.js';
import { lockStory } from './stories/lock-story.js';

const { changes } = lockStory({ seed: 1, kind: mutex, line: 'conclave/lock/it/', rounds: 20, losses: 0.2 });
const later = changes.findIndex(({ version, revision }) => version > 1 && revision > 20);
const deletion = changes.findIndex(({ type }) => type === 'delete');

function wrongs(all: readonly Change[], options = {}): string[] {
  return judgeReplay(all, options).map(({ what }) =>
    what.replace(/^revision [\d.]+, (put|delete) \S+: /, ''),
  );
}

it('a store can have gone through what is as it should be', () => {
  expect(changes.length).toBeGreaterThan(40);
  expect(judgeReplay(changes)).toEqual([]);
});

it('every change that is missing is noticed', () => {
  for (let i = 1; i < changes.length - 1; i++) expect(wrongs(changes.toSpliced(i, 1))).not.toEqual([]);
});

it('is noticed where not every key was watched, if the key itself shows it', () => {
  expect(wrongs(changes.toSpliced(later, 1), { isWhole: false })).not.toEqual([]);
  expect(
    wrongs(
      changes.filter(({ key }) => key.startsWith('app')),
      { isWhole: false },
    ),
  ).toEqual([]);
});

it.each<[string, number, Partial<Change>]>([
  ['came after revision', later, { revision: 3 }],
  ['was seen at', later, { at: 0 }],
  ['its create revision is', later, { createRevision: 7 }],
  ['it is version', later, { version: 9 }],
  ['it was not there', deletion, { key: 'conclave/lock/it/nobody' }],
  ['a delete says nothing', deletion, { value: 'x' }],
])('%s...', (what, place, change) => {
  const wrong = changes.with(place, { ...changes[place]!, ...change });
  expect(wrongs(wrong)).toContainEqual(expect.stringMatching(`^${what}`));
});

it('one transaction does not change a key twice', () => {
  const twice = { ...changes[later]!, version: changes[later]!.version + 1 };
  expect(wrongs(changes.toSpliced(later + 1, 0, twice))).toContain(
    'the second change of one key in one transaction',
  );
});
