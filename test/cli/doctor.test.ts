import { describe, expect, it } from 'vitest';

import { judgeEndpoints, judgeMembers, judgeSpace } from '../../src/cli/doctor-cluster.js';
import type { Finding, Seen } from '../../src/cli/doctor-finding.js';
import { judgeDelays, judgeHistory, judgeTtl } from '../../src/cli/doctor-store.js';
import { judgeVersion, judgeVersions } from '../../src/cli/doctor-versions.js';
import type { ClusterMember, MemberStatus } from '../../src/index.js';

function seen(endpoint: string, status: Partial<MemberStatus> = {}, clusterId = 1n): Seen {
  return {
    endpoint,
    status: {
      header: { clusterId, memberId: 1n, revision: 1n, raftTerm: 1n },
      version: '3.6.9',
      dbSizeBytes: 1n,
      dbSizeInUseBytes: 1n,
      leader: 1n,
      raftTerm: 1n,
      raftIndex: 1n,
      raftAppliedIndex: 1n,
      isLearner: false,
      errors: [],
      ...status,
    },
  };
}

function members(count: number, more: Partial<ClusterMember> = {}): ClusterMember[] {
  return Array.from({ length: count }, (_, i) => ({
    id: BigInt(i + 1),
    name: `m${i}`,
    peerUrls: [],
    clientUrls: [],
    isLearner: false,
    ...more,
  }));
}

const verdicts = (findings: readonly Finding[]): string[] => findings.map(({ verdict }) => verdict);
const texts = (findings: readonly Finding[]): string =>
  findings.map(({ text, advice = '' }) => `${text}; ${advice}`).join('\n');

describe('versions', () => {
  it.each(['3.4.42', '3.5.28', '3.6.9', '3.7.0'])('%s has no known bug', (version) => {
    expect(verdicts(judgeVersion(version, true))).toEqual(['ok']);
  });

  it.each([
    ['3.4.23', ['#17610', '#20418', '#15247', 'confirmed', '33413', '33343']],
    ['3.4.19', ['#17610', '#15247', 'confirmed', '33413', '33343']],
    ['3.4.35', ['#17610', '#20418', 'confirmed', '33413', '33343']],
    ['3.4.36', ['#20418', 'confirmed', '33413', '33343']],
    ['3.5.12', ['#17610', '#20418', '#15247', 'confirmed', '33413', '33343']],
    ['3.5.27', ['#20418', '33413', '33343']],
    ['3.6.4', ['#20418', 'confirmed', '33413', '33343']],
    ['3.6.8', ['#20418', '33413', '33343']],
  ])('%s has %j', (version, expected) => {
    const found = judgeVersion(version, false);
    expect(found).toHaveLength(expected.length);
    for (const [i, part] of expected.entries()) expect(found[i]?.text).toContain(part);
    expect(new Set(verdicts(found))).toEqual(new Set(['warning']));
  });

  it('say where each bug is mended in their own line', () => {
    expect(judgeVersion('3.5.12', false).map(({ advice }) => advice)).toEqual([
      'upgrade to 3.5.18 or newer',
      'upgrade to 3.5.28 or newer',
      'upgrade to 3.5.13 or newer',
      'upgrade to 3.5.23 or newer',
      'upgrade to 3.5.28 or newer',
      'upgrade to 3.5.28 or newer',
    ]);
  });

  it('with holes in their permissions are a problem for whoever relies on permissions', () => {
    expect(verdicts(judgeVersion('3.6.8', true))).toEqual(['warning', 'problem', 'problem']);
  });

  it('that are too old are a problem, unreadable ones a warning', () => {
    expect(verdicts(judgeVersion('3.3.27', false))).toEqual(['problem']);
    expect(verdicts(judgeVersion('gold', false))).toEqual(['warning']);
  });

  it('that differ are a warning, and each is told once', () => {
    const mixed = [seen('a'), seen('b', { version: '3.7.0' }), seen('c')];
    expect(verdicts(judgeVersions(mixed, false))).toEqual(['warning', 'ok', 'ok']);
  });
});

describe('endpoints', () => {
  it('that all answer are well', () => {
    expect(verdicts(judgeEndpoints([seen('a'), seen('b')]))).toEqual(['ok']);
  });

  it('one alone is worth a note', () => {
    expect(verdicts(judgeEndpoints([seen('a')]))).toEqual(['note', 'ok']);
  });

  it('that do not answer are a problem, each', () => {
    const found = judgeEndpoints([seen('a'), { endpoint: 'b', error: new Error('refused') }]);
    expect(verdicts(found)).toEqual(['problem']);
    expect(texts(found)).toContain('b does not answer: refused');
  });

  it('of two clusters are a problem: both would give away the same lock', () => {
    expect(verdicts(judgeEndpoints([seen('a'), seen('b', {}, 2n)]))).toEqual(['problem']);
  });
});

describe('members', () => {
  it.each([
    [1, 'warning'],
    [2, 'warning'],
    [3, 'ok'],
    [4, 'warning'],
    [5, 'ok'],
  ] as const)('%i are judged as %s', (count, verdict) => {
    expect(verdicts(judgeMembers(members(count), [seen('a')]))).toEqual([verdict]);
  });

  it('without a vote do not count', () => {
    const found = judgeMembers([...members(3), ...members(1, { isLearner: true, name: '' })], [seen('a')]);
    expect(found).toEqual([
      expect.objectContaining({ verdict: 'ok', text: expect.stringContaining('1 learner') as string }),
    ]);
  });

  it('that never started, that know no leader, that are learners, are problems', () => {
    const unstarted = [...members(2), ...members(1, { name: '' })];
    expect(verdicts(judgeMembers(unstarted, [seen('a')]))).toEqual(['problem']);
    expect(verdicts(judgeMembers(members(3), [seen('a', { leader: 0n })]))).toEqual(['problem']);
    expect(verdicts(judgeMembers(members(3), [seen('a', { isLearner: true })]))).toEqual(['problem']);
  });
});

describe('space', () => {
  const gibibyte = 2n ** 30n;

  it('that is plenty is well', () => expect(verdicts(judgeSpace([seen('a')]))).toEqual(['ok']));

  it('that has run out is a problem', () => {
    const [alarm] = judgeSpace([seen('a', { errors: ['memberID:1 alarm:NOSPACE '] }), seen('b')]);
    expect(alarm).toMatchObject({ verdict: 'problem', advice: expect.stringContaining('disarm') as string });
  });

  it('near the limit of an etcd that was told none is a warning', () => {
    const full = { dbSizeBytes: (gibibyte * 17n) / 10n, dbSizeInUseBytes: (gibibyte * 17n) / 10n };
    expect(verdicts(judgeSpace([seen('a', full)]))).toEqual(['warning']);
  });

  it('most of which is free inside the file is a warning', () => {
    const found = judgeSpace([seen('a', { dbSizeBytes: gibibyte, dbSizeInUseBytes: 1_000n })]);
    expect(verdicts(found)).toEqual(['warning']);
    expect(texts(found)).toContain('defragment');
  });
});

describe('delays', () => {
  it.each([
    [100, 'ok'],
    [1_200, 'warning'],
    [2_500, 'problem'],
  ] as const)('of %i ms at worst, for sessions of 3 s: %s', (worst, verdict) => {
    expect(verdicts(judgeDelays({ reads: [1, 2, 3], writes: [1, worst, 2] }, 3_000))).toEqual([verdict]);
  });

  it('are told as median and worst', () => {
    expect(texts(judgeDelays({ reads: [3, 1, 40], writes: [5, 5, 5] }, 15_000))).toContain(
      'a read takes 3.0 ms (at worst 40), a write 5.0 ms (at worst 5.0), of 3 each',
    );
  });
});

describe('ttl', () => {
  it.each([
    [15_000, 2, 5, 'ok'],
    [3_000, 2, 5, 'warning'],
    [1_000, 2, 5, 'warning'],
    [15_000, 15, 5, 'warning'],
  ] as const)('of %i ms, where etcd grants %i s at least: %s', (ttlMs, shortest, delay, _verdict) => {
    expect(verdicts(judgeTtl(ttlMs, shortest, delay))).toEqual([_verdict]);
  });

  it('says which would be long enough', () => {
    expect(texts(judgeTtl(3_000, 2, 0))).toContain('use a sessionTtlMs of 4000 or more');
  });
});

describe('history', () => {
  it('that is kept for ever is worth a note, and a warning when it is long', () => {
    expect(verdicts(judgeHistory(1_000n, 0n))).toEqual(['note']);
    expect(verdicts(judgeHistory(2_000_000n, 0n))).toEqual(['warning']);
    expect(verdicts(judgeHistory(2_000_000n, 10n))).toEqual(['warning']);
  });

  it('that is compacted is well', () =>
    expect(verdicts(judgeHistory(2_000_000n, 1_990_000n))).toEqual(['ok']));
});
