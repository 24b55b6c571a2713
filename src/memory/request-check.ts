import type { KeyRange, Op, PutOp, TxnOp } from '../store/operations.js';
import { type KeyText, keyText } from './key-text.js';
import { refusal } from './refusal.js';

/** Per list of a transaction; a nested transaction may use what the longest list around it leaves. */
const maxOps = 128;

/**
 * What etcd refuses by the look of the request alone, before it consults the store.
 * @throws TransportError
 */
export function checkRequest(op: Op): void {
  checkOp(op, maxOps);
  // After the limits: they keep this from being slow.
  if (op.kind === 'txn') {
    writesOf(op.then);
    writesOf(op.else);
  }
}

function checkOp(op: Op, opsLeft: number): void {
  switch (op.kind) {
    case 'get':
    case 'remove':
      return checkKey(op.range.key);
    case 'put':
      return checkPut(op);
    case 'txn':
      return checkTxn(op, opsLeft);
  }
}

function checkPut(op: PutOp): void {
  checkKey(op.key);
  if (op.ignoreValue && op.value.length > 0) throw refusal('valueProvided');
  if (op.ignoreLease && op.lease !== 0n) throw refusal('leaseProvided');
}

function checkTxn(txn: TxnOp, opsLeft: number): void {
  const longest = Math.max(txn.if.length, txn.then.length, txn.else.length);
  if (longest > opsLeft) throw refusal('tooManyOps');
  for (const { range } of txn.if) checkKey(range.key);
  for (const op of [...txn.then, ...txn.else]) checkOp(op, opsLeft - longest);
}

function checkKey(key: Uint8Array): void {
  if (key.length === 0) throw refusal('emptyKey');
}

interface Writes {
  readonly puts: Set<KeyText>;
  readonly removed: KeyRange[];
}

/**
 * The keys a branch may put and the ranges it may delete.
 * @throws TransportError if it may put a key twice, or put one that it may delete.
 */
function writesOf(branch: readonly Op[]): Writes {
  const writes: Writes = {
    puts: new Set(),
    removed: branch.flatMap((op) => (op.kind === 'remove' ? op.range : [])),
  };
  for (const op of branch) if (op.kind === 'txn') addNested(writes, op);
  for (const op of branch) if (op.kind === 'put') addPut(writes, keyText(op.key));
  return writes;
}

/**
 * Only one branch of a nested transaction runs, so the two may put the same key.
 *
 * A put in one nested transaction and a delete of it in a later one pass, as they do in etcd: they run in order.
 */
function addNested(writes: Writes, nested: TxnOp): void {
  const branches = [writesOf(nested.then), writesOf(nested.else)];
  for (const key of new Set(branches.flatMap(({ puts }) => [...puts]))) addPut(writes, key);
  for (const { removed } of branches) writes.removed.push(...removed);
}

function addPut({ puts, removed }: Writes, key: KeyText): void {
  if (puts.has(key) || removed.some((range) => removes(range, key))) throw refusal('duplicateKey');
  puts.add(key);
}

/**
 * As etcd compares it: the one zero byte that means "to the last key" is taken as an ordinary end here, so a delete
 * from a key on never counts as a duplicate.
 */
function removes({ key: first, end }: KeyRange, key: KeyText): boolean {
  if (end === undefined || end.length === 0) return keyText(first) === key;
  return keyText(first) <= key && key < keyText(end);
}
