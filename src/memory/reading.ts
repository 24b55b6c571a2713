import { compareBytes } from '../base/bytes.js';
import type { Compare, GetOp, SortTarget } from '../store/operations.js';
import type { GetResult, KeyValue } from '../store/results.js';
import type { View } from './mvcc.js';
import { refusal } from './refusal.js';

/** Answers a range request. As in etcd, `count` is the number of keys in the range before bounds and limit. */
export function read(view: View, op: GetOp): GetResult {
  checkRevision(view, op);
  const found = [...view.pairs(op.range, op.revision === 0n ? view.revision : op.revision)];
  if (op.countOnly) return { kind: 'get', kvs: [], more: false, count: found.length };

  const wanted = found.filter((kv) => isWithinBounds(kv, op));
  if (op.sort !== undefined) {
    const [target, order] = op.sort;
    const sign = order === 'ascend' ? 1 : -1;
    wanted.sort((a, b) => sign * comparePairs[target](a, b));
  }
  const more = op.limit > 0 && wanted.length > op.limit;
  const kvs = (more ? wanted.slice(0, op.limit) : wanted).map(op.keysOnly ? withoutValue : copyOf);
  return { kind: 'get', kvs, more, count: found.length };
}

/** @throws TransportError if the revision asked for is compacted or not there yet. */
export function checkRevision(view: View, { revision }: GetOp): void {
  if (revision > view.revision) throw refusal('futureRevision');
  if (revision !== 0n && revision < view.compactedRevision) throw refusal('compacted');
}

/** True if every key in the compare's range satisfies it; an empty range counts as one key that was never written. */
export function holds(view: View, compare: Compare): boolean {
  const kvs = [...view.pairs(compare.range)];
  if (compare.target === 'value')
    return kvs.length > 0 && kvs.every((kv) => satisfies(compareBytes(kv.value, compare.operand), compare));

  const { target, operand } = compare;
  if (kvs.length === 0) return satisfies(compareNumbers(0n, operand), compare);
  return kvs.every((kv) => satisfies(compareNumbers(kv[target], operand), compare));
}

/** A pair the caller may do with what it likes: the store shares no bytes with anybody. */
export function copyOf(kv: KeyValue): KeyValue {
  return { ...kv, key: new Uint8Array(kv.key), value: new Uint8Array(kv.value) };
}

function withoutValue(kv: KeyValue): KeyValue {
  return { ...kv, key: new Uint8Array(kv.key), value: new Uint8Array() };
}

/** A bound of 0 is no bound. */
function isWithinBounds({ modRevision, createRevision }: KeyValue, op: GetOp): boolean {
  return (
    modRevision >= op.minModRevision &&
    createRevision >= op.minCreateRevision &&
    (op.maxModRevision === 0n || modRevision <= op.maxModRevision) &&
    (op.maxCreateRevision === 0n || createRevision <= op.maxCreateRevision)
  );
}

const comparePairs: Record<SortTarget, (a: KeyValue, b: KeyValue) => number> = {
  key: (a, b) => compareBytes(a.key, b.key),
  version: (a, b) => compareNumbers(a.version, b.version),
  create: (a, b) => compareNumbers(a.createRevision, b.createRevision),
  mod: (a, b) => compareNumbers(a.modRevision, b.modRevision),
  value: (a, b) => compareBytes(a.value, b.value),
};

function compareNumbers(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function satisfies(difference: number, { result }: Compare): boolean {
  switch (result) {
    case '=':
      return difference === 0;
    case '!=':
      return difference !== 0;
    case '<':
      return difference < 0;
    case '>':
      return difference > 0;
  }
}
