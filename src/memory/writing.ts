import type { GetOp, Op, PutOp, RemoveOp, TxnOp } from '../store/operations.js';
import type { OpResult, PutResult, RemoveResult, TxnResult } from '../store/results.js';
import type { View, Write } from './mvcc.js';
import { checkRevision, copyOf, holds, read } from './reading.js';
import { refusal } from './refusal.js';

/** Tells whether a lease exists. */
export type LeaseCheck = (lease: bigint) => boolean;

/** A transaction with its compares decided: which branch runs, and the same for those nested in it. */
export interface Plan {
  readonly kind: 'plan';
  readonly succeeded: boolean;
  readonly steps: readonly (GetOp | PutOp | RemoveOp | Plan)[];
}

/** Decides all compares, also the nested ones, by the state before the transaction. */
export function planTxn(view: View, txn: TxnOp): Plan {
  const succeeded = txn.if.every((compare) => holds(view, compare));
  const branch: readonly Op[] = succeeded ? txn.then : txn.else;
  return {
    kind: 'plan',
    succeeded,
    steps: branch.map((op) => (op.kind === 'txn' ? planTxn(view, op) : op)),
  };
}

/**
 * All or nothing: whatever can go wrong in a step is found here, before the first one runs. Puts before reads, as etcd.
 * @throws TransportError
 */
export function checkPlan(view: View, plan: Plan, leaseExists: LeaseCheck): void {
  const steps = flatten(plan);
  for (const step of steps) {
    if (step.kind !== 'put') continue;
    checkPresent(view, step);
    checkLease(step, leaseExists);
  }
  for (const step of steps) if (step.kind === 'get') checkRevision(view, step);
}

/** @throws TransportError if the put keeps the present value or lease, and there is none. */
export function checkPresent(view: View, { key, ignoreValue, ignoreLease }: PutOp): void {
  if ((ignoreValue || ignoreLease) && view.pair(key) === undefined) throw refusal('keyNotFound');
}

/** @throws TransportError if the put names a lease that does not exist. */
export function checkLease({ lease }: PutOp, leaseExists: LeaseCheck): void {
  if (lease !== 0n && !leaseExists(lease)) throw refusal('leaseNotFound');
}

export function runPlan(write: Write, plan: Plan): TxnResult {
  const responses = plan.steps.map((step): OpResult => {
    switch (step.kind) {
      case 'get':
        return read(write, step);
      case 'put':
        return runPut(write, step);
      case 'remove':
        return runRemove(write, step);
      case 'plan':
        return runPlan(write, step);
    }
  });
  return { kind: 'txn', succeeded: plan.succeeded, responses };
}

export function runPut(write: Write, op: PutOp): PutResult {
  const before = write.pair(op.key);
  // The key to keep from was there when it was checked. If the same transaction has deleted it since, etcd crashes;
  // we keep nothing.
  const value = op.ignoreValue && before !== undefined ? before.value : op.value;
  const lease = op.ignoreLease && before !== undefined ? before.lease : op.lease;
  write.put(op.key, value, lease);
  return { kind: 'put', ...(op.prevKv && before !== undefined && { prevKv: copyOf(before) }) };
}

export function runRemove(write: Write, op: RemoveOp): RemoveResult {
  const removed = write.remove(op.range);
  return { kind: 'remove', deleted: removed.length, prevKvs: op.prevKv ? removed.map(copyOf) : [] };
}

function flatten(plan: Plan): readonly (GetOp | PutOp | RemoveOp)[] {
  return plan.steps.flatMap((step) => (step.kind === 'plan' ? flatten(step) : step));
}
