import type { Entry } from '../history/record.js';
import { nemesis } from './workload.js';

/** Whether one of these faults was struck. */
export function isStruck(entries: readonly Entry[], ...faults: readonly string[]): boolean {
  return entries.some(
    (entry) => entry.kind === 'note' && entry.client === nemesis && faults.includes(entry.what),
  );
}

/** From when on nothing was wrong any more: a run may have been calm before, and gone on. */
export function healedAt(entries: readonly Entry[]): number {
  const isHealing = (entry: Entry): boolean =>
    entry.kind === 'note' && entry.client === nemesis && entry.what === 'healed';
  return entries.findLast(isHealing)?.at ?? 0;
}

/** Whether reads may have shown a state that was gone, though the store promises that they do not. */
export function mayHaveReadStale(entries: readonly Entry[]): boolean {
  return entries.some(
    (entry) => entry.kind === 'note' && entry.client === nemesis && entry.facts['readsStale'] === true,
  );
}

/** Whether history may have been compacted before a watch had told of it. */
export function mayHaveLostHistory(entries: readonly Entry[]): boolean {
  return entries.some(
    (entry) => entry.kind === 'note' && entry.client === nemesis && /compact/.test(entry.what),
  );
}
