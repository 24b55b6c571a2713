import type { KeyRange } from '../store/operations.js';

/**
 * A key as a string with one character per byte. Unlike bytes it can be a key of a `Map`; and two of them compare as
 * their bytes do, natively.
 */
export type KeyText = string;

export function keyText(key: Uint8Array): KeyText {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

/** All keys from `first` up to but without `end`; without `end`, to the last key. */
export interface Span {
  readonly first: KeyText;
  readonly end: KeyText | undefined;
}

/** The range in one form: a single key is the span up to its immediate successor. */
export function spanOf({ key, end }: KeyRange): Span {
  const first = keyText(key);
  if (end === undefined || end.length === 0) return { first, end: `${first}\0` };
  return { first, end: endsNowhere(end) ? undefined : keyText(end) };
}

export function contains(span: Span, key: KeyText): boolean {
  return span.first <= key && (span.end === undefined || key < span.end);
}

function endsNowhere(end: Uint8Array): boolean {
  return end.length === 1 && end[0] === 0;
}
