import type { KeyValue } from '../store/results.js';

/**
 * May this ticket pass now, given the older ones? Pure.
 *
 * Lemma: a rule looks only at older tickets, and what an older ticket demands never grows. Nobody can become older. So
 * once a rule has held at some revision at which my ticket stood, it holds for as long as my ticket stands: evidence may
 * be old, and may come from any member. A new rule must keep this: no younger ticket may ever forbid an older one.
 */
export type Rule = (older: readonly KeyValue[], mine: KeyValue) => boolean;

/** Mutex: the oldest ticket holds. */
export const noOlderTicket: Rule = (older) => older.length === 0;
