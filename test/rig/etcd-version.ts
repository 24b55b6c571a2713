import type { TestContext } from 'vitest';

import { isBuilt, type Line, pathOf, releases } from '../../scripts/etcd-versions.js';

/** The etcd on the PATH, or the one of a line of releases that `scripts/build-etcd.js` builds. */
export type EtcdVersion = 'installed' | Line;

export const etcdVersions: readonly EtcdVersion[] = ['installed', '3.5', '3.6'];

/** A name for `describe`. */
export function nameOf(version: EtcdVersion): string {
  return version === 'installed' ? 'the installed etcd' : `etcd ${releases[version]}`;
}

export function programOf(version: EtcdVersion): string {
  return version === 'installed' ? 'etcd' : pathOf(version, 'etcd');
}

/** Why it cannot be started on this machine: a reason to skip. */
export function lacks(version: EtcdVersion): string | undefined {
  if (version === 'installed' || isBuilt(version)) return undefined;
  return `needs Go, for scripts/build-etcd.js to build ${nameOf(version)}`;
}

/** For `beforeEach`: skips the test if the version cannot be started here. */
export function skipWithout(version: EtcdVersion): (context: TestContext) => void {
  return (context) => {
    const reason = lacks(version);
    if (reason !== undefined) context.skip(reason);
  };
}
