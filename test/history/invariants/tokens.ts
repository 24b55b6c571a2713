import { numberOf } from '../facts.js';
import { describeGrant, type Grant, grantsOf } from '../line.js';
import { outOfOrder } from '../real-time.js';
import type { Operation, Violation } from '../record.js';

/**
 * I2: fencing tokens of one lock grow, no two holds have the same one, and a hold keeps the one it has.
 *
 * @param operations on this lock alone
 */
export function judgeTokens(operations: readonly Operation[]): Violation[] {
  const violations: Violation[] = [];
  const complain = (what: string): void => void violations.push({ rule: 'I2', what });
  const byKey = new Map<string, Grant>();
  const byToken = new Map<number, Grant>();
  for (const grant of grantsOf(operations)) {
    const same = byKey.get(grant.key);
    const other = byToken.get(grant.token);
    if (same && same.token !== grant.token)
      complain(`${describeGrant(grant)} was first told of token ${same.token}`);
    if (other && other.key !== grant.key)
      complain(`${describeGrant(other)} and ${describeGrant(grant)} have one token`);
    if (!same) byKey.set(grant.key, grant);
    if (!other) byToken.set(grant.token, grant);
  }
  const ranked = [...byKey.values()].map((grant) => {
    return { grant, from: grant.invokedAt, to: grant.returnedAt, rank: grant.token };
  });
  for (const { earlier, later } of outOfOrder(ranked)) {
    if (earlier.rank > later.rank)
      complain(`${describeGrant(later.grant)} came after ${describeGrant(earlier.grant)}`);
  }
  return violations;
}

/**
 * The revision as a witness: what had returned before something else began has the smaller revision. Over all calls of a run
 * that tell one.
 */
export function judgeWitness(operations: readonly Operation[]): Violation[] {
  const reentrant = new Set<number>();
  const items = operations.flatMap((operation) => {
    const { outcome, output, invokedAt: from, returnedAt: to, call } = operation;
    if (outcome !== 'ok') return [];
    const isGrant = call === 'acquire' || call === 'campaign' || call === 'receive';
    const isWrite = call === 'write' || call === 'proclaim';
    const rank = isGrant ? numberOf(output, 'token') : isWrite ? numberOf(output, 'revision') : NaN;
    if (Number.isNaN(rank) || (isGrant && reentrant.has(rank))) return [];
    if (isGrant) reentrant.add(rank);
    return [{ operation, from, to, rank }];
  });
  return outOfOrder(items).map(({ earlier, later }) => ({
    rule: 'revision witness',
    what: `${describe(later)} began after ${describe(earlier)} had returned`,
  }));
}

function describe({ operation, rank }: { readonly operation: Operation; readonly rank: number }): string {
  return `${operation.call} of ${operation.client} at revision ${rank}`;
}
