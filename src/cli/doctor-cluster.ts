import type { ClusterMember } from '../index.js';
import { type Finding, note, ok, type Patient, problem, type Seen, warning } from './doctor-finding.js';
import { oneLine } from './failure.js';

/** What etcd is limited to unless it was told otherwise (`--quota-backend-bytes`). */
const defaultQuotaBytes = 2 * 2 ** 30;

/** An address, and what came of asking there. */
export type Asked = Seen | { readonly endpoint: string; readonly error: unknown };

/** Whether somebody is behind every address, and whether they belong together. */
export function judgeEndpoints(asked: readonly Asked[]): readonly Finding[] {
  const silent = asked.flatMap((each) => ('error' in each ? [each] : []));
  const seen = asked.flatMap((each) => ('status' in each ? [each] : []));
  const clusters = new Set(seen.map(({ status }) => status.header.clusterId));
  const unwell = silent.map(({ endpoint, error }) =>
    problem('endpoints', `${endpoint} does not answer: ${oneLine(error)}`, 'start it, or do not name it'),
  );
  if (clusters.size > 1) {
    const ids = seen.map(({ endpoint, status }) => `${endpoint} (${status.header.clusterId.toString(16)})`);
    return [
      ...unwell,
      problem(
        'endpoints',
        `these are ${clusters.size} clusters: ${ids.join(', ')}; two programs can hold the same lock`,
        'name the members of one',
      ),
    ];
  }
  const [only] = seen;
  const single =
    asked.length === 1 && only !== undefined
      ? [
          note(
            'endpoints',
            `one address is named: ${only.endpoint}; when that member is down there is no other`,
          ),
        ]
      : [];
  return [...unwell, ...single, ...(unwell.length === 0 ? [ok('endpoints', describe(seen))] : [])];
}

function describe(seen: readonly Seen[]): string {
  return seen.length === 1 ? 'it answers' : `all ${seen.length} answer, and belong to one cluster`;
}

/** Whether there is a leader, and whether the cluster outlives the loss of a member. */
export function judgeMembers(members: readonly ClusterMember[], seen: readonly Seen[]): readonly Finding[] {
  const voters = members.filter(({ isLearner }) => !isLearner);
  const learners = members.length - voters.length;
  const unstarted = voters.filter(({ name }) => name === '');
  const tolerated = Math.floor((voters.length - 1) / 2);
  const findings: Finding[] = [];
  if (voters.length < 3) {
    const text = `${count(voters.length, 'member')} with a vote: when one is down, everything stands still`;
    findings.push(warning('members', text, 'use 3 or 5 members in production'));
  } else if (voters.length % 2 === 0) {
    const text = `${voters.length} members with a vote: they survive the loss of ${tolerated}, as one fewer would`;
    findings.push(warning('members', text, 'use an odd number'));
  }
  if (unstarted.length > 0) {
    const text = `${count(unstarted.length, 'member')} added but never started, which counts as down`;
    findings.push(problem('members', text, 'start it, or remove it'));
  }
  const leaderless = seen.filter(({ status }) => status.leader === 0n);
  for (const { endpoint } of leaderless)
    findings.push(
      problem('members', `${endpoint} knows no leader`, 'see whether a majority of the members runs'),
    );
  for (const { endpoint, status } of seen)
    if (status.isLearner)
      findings.push(
        problem('members', `${endpoint} is a learner, which serves nearly nothing`, 'do not name it'),
      );
  const also = learners > 0 ? `, ${count(learners, 'learner')}` : '';
  if (findings.length > 0) return findings;
  return [ok('members', `${voters.length} with a vote${also}: they survive the loss of ${tolerated}`)];
}

/** Alarms, and how near the next one is. */
export function judgeSpace(seen: readonly Seen[]): readonly Finding[] {
  const errors = [...new Set(seen.flatMap(({ status }) => status.errors))];
  const raised = errors.map((error) =>
    problem(
      'space',
      `etcd complains: ${error}`,
      error.includes('NOSPACE')
        ? 'compact, defragment, then disarm the alarm: until then there are no new locks, sessions or jobs'
        : 'see its log',
    ),
  );
  const sizes = seen.map(({ status }) => Number(status.dbSizeBytes));
  const largest = Math.max(0, ...sizes);
  const inUse = Math.max(0, ...seen.map(({ status }) => Number(status.dbSizeInUseBytes)));
  const text = `the database takes ${mebibytes(largest)}, of which ${mebibytes(inUse)} are in use`;
  if (largest > defaultQuotaBytes * 0.8) {
    const advice = `compact and defragment, or see that --quota-backend-bytes is far larger`;
    return [
      ...raised,
      warning('space', `${text}; the limit cannot be read, and is 2 GiB if nobody has set it`, advice),
    ];
  }
  if (largest > 100 * 2 ** 20 && inUse < largest / 2)
    return [...raised, warning('space', text, 'defragment, one member after the other')];
  return [...raised, ok('space', `${text}; the limit cannot be read, and is 2 GiB if nobody has set it`)];
}

export async function checkMembers({ conclave, seen }: Patient): Promise<readonly Finding[]> {
  const { members } = await conclave.store.cluster.list();
  return judgeMembers(members, seen);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
