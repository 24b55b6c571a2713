import type { Facts } from './record.js';

/** Of what a client has written down; '' if it is not there. */
export function textOf(facts: Facts, name: string): string {
  const value = facts[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** NaN if it is not there. */
export function numberOf(facts: Facts, name: string): number {
  const value = facts[name];
  return typeof value === 'number' ? value : NaN;
}

/** What is stored as JSON; nothing if it is none. */
export function parseFacts(value: string): Facts {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Facts) : {};
  } catch {
    return {};
  }
}
