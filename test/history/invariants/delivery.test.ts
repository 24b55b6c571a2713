import { expect, it } from 'vitest';
import { textOf } from '../facts.js';
import { livesOf } from '../lives.js';
import { type Change, type Entry, operationsOf } from '../record.js';
import { queueStory } from '../stories/queue-story.js';
import type { MadeUp } from '../stories/stage.js';
import { judgeDelivery } from './delivery.js';

function complaints({ entries, changes }: MadeUp): string[] {
  const operations = operationsOf(entries);
  const evidence = {
    namespace: 'conclave',
    queue: 'q',
    operations,
    lives: livesOf(changes),
    isDrained: true,
  };
  return judgeDelivery(evidence).map(({ what }) => what);
}

function withoutChange(story: MadeUp, isIt: (change: Change) => boolean): MadeUp {
  const it = story.changes.findIndex(isIt);
  expect(it).toBeGreaterThanOrEqual(0);
  return { ...story, changes: story.changes.toSpliced(it, 1) };
}

/** The calls of one job. */
function idsOf(story: MadeUp, call: string, job: string): string[] {
  return operationsOf(story.entries)
    .filter((each) => each.call === call && (each.input['id'] ?? each.output['id']) === job)
    .map(({ id }) => id);
}

function changed(story: MadeUp, change: (entry: Entry) => Entry | undefined): MadeUp {
  return { ...story, entries: story.entries.flatMap((entry) => change(entry) ?? []) };
}

const job7 = 'conclave/queue/q/job/j7';

it('all is well with what is as it should be', () => {
  for (let seed = 1; seed <= 10; seed++) {
    expect(complaints(queueStory({ seed, jobs: 60 }))).toEqual([]);
    expect(complaints(queueStory({ seed, jobs: 60, unknown: 0.1, losses: 0.1 }))).toEqual([]);
  }
});

it('a job that is not stored', () => {
  const story = queueStory({ seed: 1, jobs: 20 });
  const lost = {
    ...story,
    changes: story.changes.filter(({ key }) => !key.startsWith('conclave/queue/q/') || !key.includes('j7')),
  };
  expect(complaints(lost)).toContain('j7 was enqueued, and is not stored');
});

it('a job that goes although nobody has done it', () => {
  const story = queueStory({ seed: 1, jobs: 20 });
  const ids = new Set(idsOf(story, 'ack', 'j7'));
  const undone = changed(story, (entry) => ('id' in entry && ids.has(entry.id) ? undefined : entry));
  expect(complaints(undone)).toEqual([
    expect.stringMatching(/^j7 went at revision \d+, and nobody has done it$/),
  ]);
});

it('a job that is left over', () => {
  const story = queueStory({ seed: 1, jobs: 20 });
  const left = withoutChange(story, ({ key, type }) => key === job7 && type === 'delete');
  expect(complaints(left)).toContain('j7 is left over');
});

it('a job that nobody has enqueued', () => {
  const story = queueStory({ seed: 1, jobs: 20 });
  const ids = new Set(idsOf(story, 'enqueue', 'j7'));
  const phantom = changed(story, (entry) => ('id' in entry && ids.has(entry.id) ? undefined : entry));
  expect(complaints(phantom)).toEqual(['nobody has enqueued j7']);
});

it('a job that is stored twice', () => {
  const story = queueStory({ seed: 1, jobs: 20 });
  const put = story.changes.find(({ key }) => key === job7)!;
  const revision = story.changes.at(-1)!.revision + 1;
  const again = [put, { ...put, type: 'delete' as const }].map((each, i) => ({
    ...each,
    revision: revision + i,
  }));
  expect(complaints({ ...story, changes: [...story.changes, ...again] })).toContain(
    'j7 was stored 2 times, with 1 calls that did so and 0 that may have',
  );
});

it('a delivery under a token that is no claim', () => {
  const story = queueStory({ seed: 1, jobs: 20 });
  const [id] = idsOf(story, 'receive', 'j7');
  const wrong = changed(story, (entry) =>
    entry.kind === 'return' && entry.id === id ? { ...entry, output: { ...entry.output, token: 1 } } : entry,
  );
  expect(complaints(wrong)).toEqual([
    expect.stringMatching(/^j7 was delivered to w\d under token 1, which is no claim$/),
  ]);
});

it('a delivery that two get', () => {
  const story = queueStory({ seed: 1, jobs: 20 });
  const [id] = idsOf(story, 'receive', 'j7');
  const { output } = operationsOf(story.entries).find((each) => each.id === id)!;
  const entries: Entry[] = [
    ...story.entries,
    { kind: 'invoke', at: 900, client: 'w9', id: 'x', call: 'receive', on: 'q', input: {} },
    { kind: 'return', at: 901, id: 'x', outcome: 'ok', output },
  ];
  expect(complaints({ ...story, entries })).toEqual([expect.stringMatching(/^j7 was delivered twice/)]);
});

it('an acknowledgement that is confirmed twice, or to one who has not done it', () => {
  const story = queueStory({ seed: 1, jobs: 20 });
  const entries: Entry[] = [
    ...story.entries,
    { kind: 'invoke', at: 900, client: 'w9', id: 'x', call: 'ack', on: 'q', input: { id: 'j7', token: 2 } },
    { kind: 'return', at: 901, id: 'x', outcome: 'ok', output: {} },
  ];
  expect(complaints({ ...story, entries })).toEqual([
    'j7 was acknowledged 2 times',
    'j7 was acknowledged under token 2, which has not done it',
  ]);
});

it('a job that two have, or that is delivered again for nothing', () => {
  const story = queueStory({ seed: 2, jobs: 40 });
  const [again] = operationsOf(story.entries).filter(({ output }) => output['attempt'] === 2);
  const id = textOf(again!.output, 'id');
  const isClaim = ({ key }: Change): boolean => key.startsWith(`conclave/queue/q/active/${id}/`);

  const kept = withoutChange(story, (change) => isClaim(change) && change.type === 'delete');
  expect(complaints(kept)).toEqual([expect.stringMatching(/^\w+ was claimed by two/)]);

  const nacks = new Set(idsOf(story, 'nack', id));
  const silent = changed(story, (entry) => ('id' in entry && nacks.has(entry.id) ? undefined : entry));
  expect(complaints(silent)).toContainEqual(expect.stringMatching(/^\w+ was claimed again for nothing/));

  // As if it had been an acknowledgement that never arrived.
  const unanswered = changed(story, (entry) => {
    if (!('id' in entry) || !nacks.has(entry.id)) return entry;
    return entry.kind === 'invoke' ? { ...entry, call: 'ack' } : { ...entry, outcome: 'unknown' };
  });
  expect(complaints(unanswered)).toEqual([]);
});
