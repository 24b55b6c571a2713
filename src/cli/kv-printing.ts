import { type KeyValue, toText } from '../index.js';
import { harmless } from './printing.js';

/** Text where it is text; else base64, under another name, so that neither is taken for the other. */
export function bytesAs(name: 'key' | 'value', bytes: Uint8Array): Record<string, string> {
  return isText(bytes)
    ? { [name]: toText(bytes) }
    : { [`${name}Base64`]: Buffer.from(bytes).toString('base64') };
}

/** @param isWithValue false if the store was asked for keys only */
export function pairAsJson(kv: KeyValue, isWithValue = true): Record<string, unknown> {
  const { createRevision, modRevision, version, lease } = kv;
  const value = isWithValue ? bytesAs('value', kv.value) : {};
  return { ...bytesAs('key', kv.key), ...value, createRevision, modRevision, version, lease };
}

/** For a line of its own. */
export function lineOf(bytes: Uint8Array): string {
  return harmless(toText(bytes));
}

export function isText(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
