import { type Finding, ok, problem, type Seen, warning } from './doctor-finding.js';

/** A version as its three numbers. */
type Version = readonly [major: number, minor: number, patch: number];

/** A bug that concerns whoever coordinates on etcd. */
interface Bug {
  readonly what: string;
  /** The first release of each line without it; a line that is not listed never had it. */
  readonly fixedIn: readonly Version[];
  /** The first release of a line that has it, where that is not the first of all. */
  readonly since?: Version;
  /** A matter of permissions: without users there is nothing to get around. */
  readonly onlyWithLogin?: boolean;
}

const bugs: readonly Bug[] = [
  {
    what: 'a watch can miss events while the history is compacted: waiters learn late that it is their turn (etcd #17610, #18089, #19179)',
    fixedIn: [
      [3, 4, 36],
      [3, 5, 18],
    ],
  },
  {
    what: 'a read can be older than it claims after a leader change (etcd #20418)',
    fixedIn: [
      [3, 4, 42],
      [3, 5, 28],
      [3, 6, 9],
    ],
    since: [3, 4, 20],
  },
  {
    what: 'a former leader that was stalled can revoke leases that are alive: locks are lost early (etcd #15247)',
    fixedIn: [
      [3, 4, 31],
      [3, 5, 13],
    ],
  },
  {
    what: 'a renewal can be confirmed for a lease that is gone: a loss is noticed late',
    fixedIn: [
      [3, 4, 38],
      [3, 5, 23],
      [3, 6, 5],
    ],
  },
  {
    what: 'whoever reaches etcd can list, grant and renew leases without logging in (CVE-2026-33413)',
    fixedIn: [
      [3, 4, 42],
      [3, 5, 28],
      [3, 6, 9],
    ],
    onlyWithLogin: true,
  },
  {
    what: 'nested transactions get around permissions (CVE-2026-33343)',
    fixedIn: [
      [3, 4, 42],
      [3, 5, 28],
      [3, 6, 9],
    ],
    onlyWithLogin: true,
  },
];

const oldest: Version = [3, 4, 0];

/** The server of each member, against what is known to be wrong with it. A line for each bug. */
export function judgeVersions(seen: readonly Seen[], hasLogin: boolean): readonly Finding[] {
  const versions = [...new Set(seen.map(({ status }) => status.version))].sort();
  const differing =
    versions.length > 1
      ? [warning('versions', `the members run ${versions.join(' and ')}`, 'finish the upgrade')]
      : [];
  return [...differing, ...versions.flatMap((version) => judgeVersion(version, hasLogin))];
}

export function judgeVersion(text: string, hasLogin: boolean): readonly Finding[] {
  const version = parseVersion(text);
  if (!version) return [warning('version', `etcd calls itself ${text}`, 'nothing is known about it')];
  if (compare(version, oldest) < 0)
    return [problem('version', `etcd ${text} is older than what this library runs on`, 'use 3.4 or newer')];
  const found = bugs.filter((bug) => isIn(version, bug));
  if (found.length === 0) return [ok('version', `etcd ${text}, of which no bug is known that matters here`)];
  return found.map(({ what, onlyWithLogin = false, fixedIn }) => {
    const isHarmful = onlyWithLogin && hasLogin;
    const make = isHarmful ? problem : warning;
    return make('version', `etcd ${text}: ${what}`, `upgrade to ${fixFor(version, fixedIn)} or newer`);
  });
}

function isIn(version: Version, { fixedIn, since }: Bug): boolean {
  if (since && compare(version, since) < 0) return false;
  const fix = fixedIn.find(([major, minor]) => major === version[0] && minor === version[1]);
  return fix !== undefined && compare(version, fix) < 0;
}

function fixFor(version: Version, fixedIn: readonly Version[]): string {
  const fix = fixedIn.find(([major, minor]) => major === version[0] && minor === version[1]);
  return (fix ?? version).join('.');
}

function parseVersion(text: string): Version | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  return patch === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
