// The releases of etcd that the tests run against besides the installed one, and where they are kept.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The last of each line: what is known to be lost, stale or open in older ones is mended in these.
 * @type {Readonly<Record<import('./etcd-versions.js').Line, string>>}
 */
export const releases = Object.freeze({ 3.5: '3.5.35', 3.6: '3.6.16' });

export const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'conclave', 'etcd');

/**
 * @param {import('./etcd-versions.js').Line} line
 * @param {'etcd' | 'etcdctl'} program
 */
export function pathOf(line, program) {
  return join(cache, releases[line], program);
}

/**
 * A folder comes into the cache as a whole: where `etcd` is, `etcdctl` is too.
 * @param {import('./etcd-versions.js').Line} line
 */
export function isBuilt(line) {
  return existsSync(pathOf(line, 'etcd'));
}
