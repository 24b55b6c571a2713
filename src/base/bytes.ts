/** Keys and values are byte strings, as in etcd. Text is taken as UTF-8. */
export type Bytes = string | Uint8Array;

const encoder = new TextEncoder();
// Otherwise a leading U+FEFF would be dropped, and two different keys read as one.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * A copy: the caller may use its buffer again while a repeated request or a resumed watch still needs the bytes.
 *
 * @throws TypeError for anything but a string without lone surrogates, or a `Uint8Array`.
 */
export function toBytes(value: Bytes, what = 'value'): Uint8Array {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (typeof value !== 'string') throw new TypeError(`${what} must be a string or Uint8Array`);
  // A lone surrogate would silently become U+FFFD, and two different keys would be one.
  if (!value.isWellFormed()) throw new TypeError(`${what} contains a lone surrogate`);
  return encoder.encode(value);
}

/** The bytes as UTF-8 text; malformed sequences become U+FFFD. */
export function toText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Negative, zero or positive, in etcd's key order (unsigned bytes, shorter first). */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}
