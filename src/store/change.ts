import { equalBytes, toText } from '../base/bytes.js';
import {
  compare,
  type Compare,
  get,
  type GetOp,
  type KeyRange,
  type PutOp,
  type RemoveOp,
} from './operations.js';
import type { KeyValue, OpResult } from './results.js';

/** A key as it was at the revision of the snapshot. */
export interface KnownKey {
  readonly key: Uint8Array;
  /** undefined: it was not there. */
  readonly kv: KeyValue | undefined;
}

/** A key that is written. */
export interface Write extends KnownKey {
  readonly op: PutOp | RemoveOp;
}

/** What one run of a transaction wants to be done, and what it has relied on. */
export interface Change {
  /** At which it has read. */
  readonly revision: bigint;
  /** Everything that was read or is written: the same `key` as in `writes`. */
  readonly keys: readonly KnownKey[];
  readonly ranges: readonly KeyRange[];
  readonly writes: readonly Write[];
}

/**
 * That nothing of it has changed. A range on its own would not tell of a removal: the keys that were there are named, too.
 * What is written is compared as well, and so a second copy of the same request finds what the first one has written.
 */
export function unchanged({ revision, keys, ranges }: Change): Compare[] {
  return [
    ...keys.map(({ key, kv }) => compare.modRevision(key, '=', kv?.modRevision ?? 0n)),
    ...ranges.map((range) => compare.modRevision(range, '<', revision + 1n)),
  ];
}

/** Reads that tell what has changed, for `changedKeys`. @param withValues keys of which the values are read, too */
export function looks({ revision, keys, ranges }: Change, withValues: readonly KnownKey[] = []): GetOp[] {
  const read = new Set(withValues.map(({ key }) => key));
  return [
    ...keys.map(({ key }) => get(key, { keysOnly: !read.has(key) })),
    ...ranges.map((range) => get(range, { keysOnly: true, minModRevision: revision + 1n, limit: 1 })),
  ];
}

/** @param results of `looks` */
export function changedKeys({ keys }: Change, results: readonly OpResult[]): readonly string[] {
  const found = results.map((result) => (result.kind === 'get' ? result.kvs[0] : undefined));
  const changed = keys.filter(({ kv }, i) => (kv?.modRevision ?? 0n) !== (found[i]?.modRevision ?? 0n));
  const inRanges = found.slice(keys.length).flatMap((kv) => kv?.key ?? []);
  return [...new Set([...changed.map(({ key }) => key), ...inRanges].map(toText))];
}

/**
 * A key that was there and is written. As soon as anybody has written it, whoever that was, no copy of the change can be
 * applied any more: a mod revision never returns. Of a key that was not there this cannot be said, since somebody may remove it
 * again.
 */
export function anchorOf({ writes }: Change): KeyValue | undefined {
  return writes.find(({ kv }) => kv !== undefined)?.kv;
}

/**
 * Whether what stands there now shows that the change was not made. All of it is made at once, so one key is enough.
 *
 * @param results of `looks`, with the values of what is written
 */
export function isSurelyUndone({ keys, writes }: Change, results: readonly OpResult[]): boolean {
  const reads = new Map(keys.map(({ key }, i) => [key, results[i]]));
  return writes.some((write) => {
    const result = reads.get(write.key);
    const now = result?.kind === 'get' ? result.kvs[0] : undefined;
    return now !== undefined && !mayBeFrom(write, now);
  });
}

function mayBeFrom({ kv: before, op }: Write, now: KeyValue): boolean {
  if (now.createRevision !== before?.createRevision) return true; // of another life: it does not tell of the one before
  if (op.kind === 'remove' || now.modRevision === before.modRevision) return false;
  return now.version > before.version + 1n || equalBytes(now.value, op.value);
}
