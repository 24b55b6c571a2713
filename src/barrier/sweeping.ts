import { toText } from '../base/bytes.js';
import { type Compare, type Op, remove, txn } from '../store/operations.js';
import type { BarrierKeys } from './barrier-keys.js';
import type { Standing } from './standing.js';

/** What one transaction carries besides: the server's limit is 128 operations. */
const mostAtOnce = 50;

/**
 * Removes what nobody needs any more, together with a ticket that has had its turn. By what was seen, however long ago that
 * is: tickets that are gone do not come back, and younger ones ask for nothing of this.
 *
 * @param mine the key of that ticket: it does not count
 */
export function sweep(keys: BarrierKeys, seen: Standing, mine: string): readonly Op[] {
  const others = seen.tickets.filter(({ key }) => toText(key) !== mine);
  // Who was there before an outcome was written may not have heard of it yet; without it, those whom it is about would seem
  // to have vanished.
  const outs = seen.decisions.filter(({ at }) => others.every(({ createRevision }) => createRevision > at));
  const leaves = [...seen.leaves].filter(
    ([round, { tickets }]) =>
      tickets.every(({ key }) => toText(key) === mine) &&
      others.every(({ createRevision }) => createRevision > round),
  );
  const unneeded = [
    ...outs.map(({ upTo }) => keys.out(upTo)),
    ...leaves.map(([round]) => keys.leaveOut(round)),
  ];
  return unneeded.slice(0, mostAtOnce).map((key) => remove(key));
}

/** Removes what is left when nobody is there any more; the store has to say so, for somebody may just have come. */
export function sweepAll(keys: BarrierKeys, isEmpty: readonly Compare[]): Op {
  return txn({ if: isEmpty, then: [remove(keys.left), remove(keys.outs())] });
}
