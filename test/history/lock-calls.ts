import { numberOf, textOf } from './facts.js';
import type { LockKind } from './lock-kinds.js';
import type { LockCall } from './models/lock.js';
import type { Change, Operation } from './record.js';
import type { Timed } from './wgl.js';

/**
 * What the model of a lock has to explain.
 *
 * - An `acquire` of unknown outcome is left out: whatever it took, nobody was told a token of it, and it only stood in
 *   others' way. The same goes for a `write`, which changes nothing for others.
 * - A `downgrade`, of a writer to a reader, may have been done if its outcome is unknown, or if what was held is lost: it
 *   lets others in.
 * - A hold ends by its release, or, when its key was deleted without one, by itself at a time between its grant and the moment
 *   when that was seen: the environment's doing.
 *
 * @param operations of one lock
 * @param changes all of them; only the moments are used at which keys that were granted were seen to be deleted
 */
export function lockCalls(
  kind: LockKind,
  operations: readonly Operation[],
  changes: readonly Change[],
): Timed<LockCall>[] {
  const ends = endsOf(operations, { begin: 'acquire', end: 'release' }, changes);
  const calls: Timed<LockCall>[] = ends.map(({ kind, key, client, from, to }) => {
    return { client, from, to, call: { kind, key } };
  });
  for (const { call, outcome, error, client, input, output, invokedAt: from, returnedAt: to } of operations) {
    const isLost = error === 'HOLD_LOST';
    if (call === 'downgrade' && (outcome !== 'no' || isLost)) {
      const downgrade = {
        kind: 'downgrade' as const,
        key: textOf(input, 'key'),
        weight: kind.weightOf({ mode: 'read' }),
      };
      calls.push({ client, from, to: isLost ? Infinity : to, call: downgrade });
    }
    if (outcome !== 'ok') continue;
    if (call === 'acquire') {
      const acquire = {
        key: textOf(output, 'key'),
        token: numberOf(output, 'token'),
        weight: kind.weightOf(input),
      };
      calls.push({ client, from, to, call: { kind: 'acquire', ...acquire } });
    } else if (call === 'write') {
      const write = { key: textOf(input, 'key'), token: numberOf(input, 'token') };
      calls.push({ client, from, to, call: { kind: 'write', ...write } });
    }
  }
  return calls;
}

/** How a hold ended, and when. */
export interface HoldEnd {
  readonly kind: 'release' | 'expire';
  readonly key: string;
  readonly client: string;
  readonly from: number;
  readonly to: number;
  /** When its key was seen to be deleted; Infinity if it never was. */
  readonly goneAt: number;
}

/**
 * Of all that was held.
 *
 * @param calls which ones begin a hold, by the key in their output, and which end it, by the key in their input
 */
export function endsOf(
  operations: readonly Operation[],
  calls: { readonly begin: string; readonly end: string },
  changes: readonly Change[],
): HoldEnd[] {
  const holds = new Map<string, Operation>();
  for (const operation of operations) {
    if (operation.call !== calls.begin || operation.outcome !== 'ok') continue;
    const key = textOf(operation.output, 'key');
    // Of a re-entrant hold the first.
    if (!holds.has(key)) holds.set(key, operation);
  }
  const deletedAt = new Map<string, number>();
  for (const { type, key, at } of changes) if (type === 'delete' && holds.has(key)) deletedAt.set(key, at);
  const releaseOf = new Map<string, Operation>();
  for (const release of operations) {
    if (release.call !== calls.end) continue;
    const key = textOf(release.input, 'key');
    // One that began when the key was gone already has not done it.
    if (release.outcome === 'no' || release.invokedAt > (deletedAt.get(key) ?? Infinity)) continue;
    // The last: those before it have ended a re-entrant hold within. But one that is sure to have done it goes first.
    if (releaseOf.get(key)?.outcome !== 'ok' || release.outcome === 'ok') releaseOf.set(key, release);
  }
  // Whoever hands over gives up before it says that it does.
  const handedOverAt = new Map<string, number>();
  for (const { call, outcome, input, invokedAt } of operations)
    if (call === 'transfer' && outcome !== 'no') handedOverAt.set(textOf(input, 'key'), invokedAt);
  return [...holds].flatMap(([key, { client, invokedAt }]): HoldEnd[] => {
    const deleted = deletedAt.get(key);
    const release = releaseOf.get(key);
    const goneAt = deleted ?? Infinity;
    if (release && (release.outcome === 'ok' || deleted === undefined)) {
      const from = Math.min(release.invokedAt, handedOverAt.get(key) ?? Infinity);
      return [{ kind: 'release', key, client, from, to: release.returnedAt, goneAt }];
    }
    if (deleted === undefined) return [];
    return [{ kind: 'expire', key, client, from: Math.min(invokedAt, deleted), to: deleted, goneAt }];
  });
}
