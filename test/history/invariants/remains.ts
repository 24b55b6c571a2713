import { isSetting } from '../../../src/base/keys.js';
import type { Life } from '../lives.js';
import type { Violation } from '../record.js';

/** What is still there when everybody has gone. */
export interface Remains {
  readonly namespace: string;
  readonly lives: readonly Life[];
  /** The leases that the store still has, if it was asked. */
  readonly leases?: readonly string[];
  /** Keys that are meant to stay. @default settings: those without a lease that have a meaning of their own */
  readonly mayStay?: (key: string) => boolean;
}

/** I8: a while after the end of all clients nothing of theirs is left: no key but settings, nothing on a lease, no lease. */
export function judgeRemains({ namespace, lives, leases = [], mayStay = isSetting }: Remains): Violation[] {
  const left = lives.filter(({ key, deleteRevision, lease }) => {
    if (deleteRevision < Infinity || !key.startsWith(`${namespace}/`)) return false;
    return isLease(lease) ? !result.test(key) : !mayStay(key);
  });
  return [
    ...left.map(({ key, createRevision }) => `${key}, put at revision ${createRevision}, is still there`),
    ...leases.map((lease) => `lease ${lease} is still there`),
  ].map((what) => ({ rule: 'I8', what }));
}

/** How a job has ended is kept for a while, on a lease that is nobody's. */
const result = /\/queue\/[^/]+\/result\//;

function isLease(lease: string): boolean {
  return !/^0*$/.test(lease);
}
