import type { Change, Violation } from './record.js';

/**
 * Can a store have gone through this? If not, whoever wrote it down has missed something, or was told what was not so, and
 * nothing that is concluded from it holds.
 *
 * @param isWhole these are the changes of all keys: every revision is there
 */
export function judgeReplay(
  changes: readonly Change[],
  { isWhole = true }: { readonly isWhole?: boolean } = {},
): Violation[] {
  const violations: Violation[] = [];
  const live = new Map<string, Change>();
  const changedAt = new Map<string, number>();
  let last: Change | undefined;
  for (const change of changes) {
    const { revision, key, at } = change;
    const complain = (what: string): void =>
      void violations.push({ rule: 'replay', what: `revision ${revision}, ${change.type} ${key}: ${what}` });
    if (last && revision < last.revision) complain(`came after revision ${last.revision}`);
    if (last && isWhole && revision > last.revision + 1)
      complain(`nothing is known of those after ${last.revision}`);
    if (last && at < last.at) complain(`was seen at ${at}, after one that was seen at ${last.at}`);
    if (changedAt.get(key) === revision) complain('the second change of one key in one transaction');
    const wrong = wrongIn(change, live.get(key));
    if (wrong) complain(wrong);
    if (change.type === 'put') live.set(key, change);
    else live.delete(key);
    changedAt.set(key, revision);
    last = change;
  }
  return violations;
}

function wrongIn(change: Change, before: Change | undefined): string | undefined {
  const { type, revision, createRevision, version, value } = change;
  if (type === 'delete') {
    if (!before) return 'it was not there';
    if (createRevision !== 0 || version !== 0 || value !== '') return 'a delete says nothing of what it was';
    return undefined;
  }
  if (createRevision !== (before?.createRevision ?? revision))
    return `its create revision is ${createRevision}, not ${before?.createRevision ?? revision}`;
  if (version !== (before?.version ?? 0) + 1)
    return `it is version ${version}, after ${before?.version ?? 0}`;
  return undefined;
}
