import { describe, expect, it } from 'vitest';
import { Stage } from '../history/stories/stage.js';
import { barrier } from './barrier.js';
import { election } from './election.js';
import { mutex } from './mutex.js';
import { nemesis, type Workload } from './workload.js';

const namespace = 'conclave';

/** The rules that were broken. */
function broken(workload: Workload, { entries, changes }: Stage): string[] {
  return workload.judge({ entries, changes, namespace, ttlMs: 2_000 }).map(({ rule }) => rule);
}

describe('the judge of lines', () => {
  /** Told so long after it might pass. */
  function woken(afterMs: number): Stage {
    const stage = new Stage(1);
    const key = `${namespace}/lock/m/a`;
    const id = stage.invoke('a', 'acquire', 'm');
    const token = stage.put(key, {}, 'a');
    stage.note(nemesis, 'healed', 'run', {});
    stage.now += afterMs;
    stage.return(id, 'ok', { key, token });
    stage.now++;
    const end = stage.invoke('a', 'release', 'm', { key, token });
    stage.delete(key);
    stage.now++;
    stage.return(end, 'ok');
    return stage;
  }

  it('objects to a wake-up that was lost, though a later look made up for it', () => {
    expect(broken(mutex, woken(1_000))).toEqual([]);
    expect(broken(mutex, woken(14_000))).toEqual(['I9']);
  });

  it('begins its bounds when all was well for the last time', () => {
    const stage = woken(14_000);
    stage.note(nemesis, 'a member killed', 'run', {});
    stage.note(nemesis, 'healed', 'run', {});
    expect(broken(mutex, stage)).toEqual([]);
  });
});

describe('the judge of elections', () => {
  /** Somebody is told of the first leader when the second one has led. */
  function lookedBack(): Stage {
    const stage = new Stage(1);
    const lead = (client: string): number => {
      const key = `${namespace}/election/e/${client}`;
      const id = stage.invoke(client, 'campaign', 'e', { value: client });
      const token = stage.put(key, { value: client }, client);
      stage.now++;
      stage.return(id, 'ok', { key, token });
      stage.now++;
      const end = stage.invoke(client, 'resign', 'e', { key, token });
      stage.delete(key);
      stage.now++;
      stage.return(end, 'ok');
      stage.now++;
      return token;
    };
    const token = lead('a');
    lead('b');
    const look = stage.invoke('c', 'leader', 'e');
    stage.now++;
    stage.return(look, 'ok', { token, value: 'a' });
    return stage;
  }

  it('objects to a leader of the past', () => {
    expect(broken(election, lookedBack())).toEqual(['linearizable election', 'I7']);
  });

  it('allows for it where a member may have shown the past', () => {
    const stage = lookedBack();
    stage.note(nemesis, 'lagMember', 'run', { readsStale: true });
    expect(broken(election, stage)).toEqual([]);
  });
});

describe('the judge of barriers', () => {
  const start = `${namespace}/cyclic-barrier/b/`;
  const parties = ['a', 'b', 'c'];

  /** A round of three. */
  function round({ hasDied = '', comesLate = '' } = {}): Stage {
    const stage = new Stage(1);
    const enters = parties.map((each) => {
      stage.now++;
      if (each === comesLate) return '';
      const id = stage.invoke(each, 'enter', 'b');
      return id;
    });
    let youngest = 0;
    for (const each of parties) {
      stage.now++;
      if (each === 'c' && hasDied !== '') stage.delete(`${start}in/${hasDied}-1`); // its lease has ended
      youngest = stage.put(`${start}in/${each}-1`, {}, each);
    }
    const all = parties.map((each) => ({ ticket: `${each}-1`, holder: each }));
    stage.put(`${start}out/${youngest.toString(16)}`, { kind: 'tripped', parties: all });
    stage.now++;
    parties.forEach((each, index) => {
      const id = enters[index];
      if (!id || each === hasDied) return;
      stage.return(id, 'ok', { generation: youngest, index });
    });
    stage.now++;
    if (comesLate !== '') stage.invoke(comesLate, 'enter', 'b');
    return stage;
  }

  it('objects to a party that had gone when the last one came', () => {
    expect(broken(barrier, round())).toEqual([]);
    expect(broken(barrier, round({ hasDied: 'a' }))).toEqual(['I6']);
  });

  it('objects to a party whose client had not come when the others passed', () => {
    expect(broken(barrier, round({ comesLate: 'b' }))).toEqual(['linearizable barrier']);
  });

  it('objects to being told of a broken round that was over before one came', () => {
    const stage = new Stage(1);
    stage.put(`${start}in/c-1`, {}, 'c');
    const round = stage.put(`${start}in/a-1`, {}, 'a');
    stage.delete(`${start}in/a-1`); // its lease has ended
    const by = { ticket: 'a-1', holder: 'a' };
    stage.put(`${start}out/${round.toString(16)}`, { kind: 'broken', by });
    stage.now++;
    const id = stage.invoke('b', 'enter', 'b', { size: 3 });
    stage.now++;
    const told = { outcome: 'no', output: {}, error: 'BROKEN_BARRIER' } as const;
    stage.entries.push({ kind: 'return', at: stage.now, id, ...told });
    expect(broken(barrier, stage)).toEqual(['I6']);
  });
});
