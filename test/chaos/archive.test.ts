import { writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { Change } from '../history/record.js';
import { Archive } from './archive.js';
import type { Aim } from './client/orders.js';
import { Probes } from './client/probes.js';
import { judge } from './judge.js';
import { workloadNamed } from './loads.js';
import { register } from './loads/register.js';
import { maySoonReadStale } from './run.js';

describe('aims', () => {
  it('hit at the passing that was said, counted from when they were made, and once', () => {
    const hits: Aim[] = [];
    const probes = new Probes((aim) => hits.push(aim));
    probes.pass('hold.granted');
    probes.aim({ probe: 'hold.granted', nth: 2, act: 'stop' });
    probes.pass('hold.granted');
    probes.pass('hold.release');
    expect(hits).toEqual([]);
    probes.pass('hold.granted');
    probes.pass('hold.granted');
    expect(hits).toEqual([{ probe: 'hold.granted', nth: 2, act: 'stop' }]);
  });

  it('are forgotten when told so, but those that only tell', () => {
    const hits: string[] = [];
    const probes = new Probes(({ act }) => hits.push(act));
    for (const act of ['stop', 'kill', 'tell'] as const) probes.aim({ probe: 'use.write', nth: 1, act });
    probes.disarm();
    probes.pass('use.write');
    expect(hits).toEqual(['tell']);
  });
});

describe('a fault', () => {
  it('of a client makes no read stale, that of a member may', () => {
    const stale = ['a member stopped', 'the leader frozen', 'the disk of the leader stalled'];
    const fresh = ['a client stopped', 'the holder stopped', 'a client stopped at hold.granted'];
    expect([...stale, ...fresh].filter(maySoonReadStale)).toEqual(stale);
  });
});

describe('an archive', () => {
  const archives: Archive[] = [];
  const created = (): Archive => {
    const archive = Archive.create();
    archives.push(archive);
    return archive;
  };
  afterEach(() => {
    for (const archive of archives.splice(0)) archive.remove();
  });

  it('has what a client wrote that was killed in the middle of a line, and all in the order of time', () => {
    const archive = created();
    const note = (at: number): string =>
      JSON.stringify({ kind: 'note', at, client: 'c', what: 'w', on: '', facts: {} });
    writeFileSync(archive.historyOf('c0.0'), `${note(3)}\n${note(5)}\n{"kind":"no`);
    writeFileSync(archive.historyOf('c1.0'), `${note(4)}\n`);
    expect(archive.entries().map(({ at }) => at)).toEqual([3, 4, 5]);
  });

  it('can be judged again: a hole in the dump is found', () => {
    const archive = created();
    const put = (revision: number): Change => ({
      ...{ revision, at: revision, type: 'put', key: 'k', value: '' },
      ...{ createRevision: 2, version: revision - 1, lease: '0' },
    });
    const facts = { workload: 'register', namespace: 'conclave', ttlMs: 2_000, options: {}, schedule: [] };
    const rulesOf = (): string[] => judge(register, archive.read().evidence).map(({ rule }) => rule);
    archive.write(facts, [put(2), put(3)], [], '');
    expect(rulesOf()).toEqual([]);
    archive.write(facts, [put(2), put(4)], [], '');
    expect(rulesOf()).toContain('replay');
  });

  it('has what was found then: not all of it can be found again', () => {
    const archive = created();
    const facts = { workload: 'register', namespace: 'conclave', ttlMs: 2_000, options: {}, schedule: [] };
    const found = [{ rule: 'liveness', what: 'c0.0 has not ended a round' }];
    archive.write(facts, [], found, '');
    expect(archive.read().violations).toEqual(found);
  });
});

it('a workload is found by its name, whichever folder it is in, and a wrong name is refused', async () => {
  for (const name of ['mutex', 'register', 'unfenced-register'])
    expect((await workloadNamed(name)).name).toBe(name);
  await expect(workloadNamed('none')).rejects.toThrow(RangeError);
});
