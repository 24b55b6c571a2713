import { type Bytes, toBytes } from '../base/bytes.js';
import { checkInt64 } from './int64.js';

/**
 * The operations of the store as values: build them, keep them, send them with `store.do` or inside `store.txn`.
 * Builders check their arguments and fill in every default, so a value is also exactly what goes on the wire.
 */

/** A key (no `end`), or all keys from `key` up to but without `end`. An `end` of one zero byte means "to the last key". */
export interface KeyRange {
  readonly key: Uint8Array;
  readonly end?: Uint8Array;
}

/** A single key, or what `prefix`, `range` and `fromKey` return. */
export type RangeLike = Bytes | KeyRange;

const zeroByte: Uint8Array = new Uint8Array([0]);

/** All keys that start with `start`; all keys if it is empty. `/test/` finds `/test/key1` but not `/testspam`. */
export function prefix(start: Bytes): KeyRange {
  const key = toBytes(start, 'prefix');
  return key.length === 0 ? { key: zeroByte, end: zeroByte } : { key, end: prefixEnd(key) };
}

/** All keys `k` with `from <= k < end`. */
export function range(from: Bytes, end: Bytes): KeyRange {
  return { key: keyBytes(from), end: keyBytes(end, 'range end') };
}

/** All keys from `key` on, including it. */
export function fromKey(key: Bytes): KeyRange {
  return { key: keyBytes(key), end: zeroByte };
}

/** The smallest key greater than every key with this prefix: last byte + 1, 0xff carries, all 0xff means "to the end". */
export function prefixEnd(key: Uint8Array): Uint8Array {
  for (let i = key.length - 1; i >= 0; i--) {
    const byte = key[i] ?? 0xff;
    if (byte === 0xff) continue;
    const end = Uint8Array.from(key.subarray(0, i + 1)); // not `slice`: that of a Buffer shares its bytes
    end[i] = byte + 1;
    return end;
  }
  return zeroByte;
}

const sortTargets = ['key', 'version', 'create', 'mod', 'value'] as const;
const sortOrders = ['ascend', 'descend'] as const;
export type SortTarget = (typeof sortTargets)[number];
export type SortOrder = (typeof sortOrders)[number];

export interface GetOptions {
  /** At most this many pairs; 0 means all. `count` in the result is the number before this limit. @default 0 */
  readonly limit?: number;
  /** Read the store as it was at this revision; 0n means now. @default 0n */
  readonly revision?: bigint;
  /** Order of the pairs. @default by key, ascending */
  readonly sort?: readonly [SortTarget, SortOrder];
  /** Answered by one member from what it has, possibly stale, without asking the others. @default false */
  readonly serializable?: boolean;
  /** Leave the values out. @default false */
  readonly keysOnly?: boolean;
  /** Only count. @default false */
  readonly countOnly?: boolean;
  /** Only pairs whose revision is within these, both included; 0n means no bound. @default 0n */
  readonly minModRevision?: bigint;
  readonly maxModRevision?: bigint;
  readonly minCreateRevision?: bigint;
  readonly maxCreateRevision?: bigint;
}

export interface PutOptions {
  /** Attach the key to this lease; 0n detaches it. @default 0n */
  readonly lease?: bigint;
  /** Return the pair as it was before. @default false */
  readonly prevKv?: boolean;
  /** Keep the present value; the key must exist. @default false */
  readonly ignoreValue?: boolean;
  /** Keep the present lease; the key must exist. @default false */
  readonly ignoreLease?: boolean;
}

export interface RemoveOptions {
  /** Return the removed pairs. @default false */
  readonly prevKv?: boolean;
}

export interface GetOp {
  readonly kind: 'get';
  readonly range: KeyRange;
  readonly limit: number;
  readonly revision: bigint;
  readonly sort?: readonly [SortTarget, SortOrder];
  readonly serializable: boolean;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
  readonly minModRevision: bigint;
  readonly maxModRevision: bigint;
  readonly minCreateRevision: bigint;
  readonly maxCreateRevision: bigint;
}

export interface PutOp {
  readonly kind: 'put';
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease: bigint;
  readonly prevKv: boolean;
  readonly ignoreValue: boolean;
  readonly ignoreLease: boolean;
}

export interface RemoveOp {
  readonly kind: 'remove';
  readonly range: KeyRange;
  readonly prevKv: boolean;
}

export interface TxnOp<
  Then extends readonly Op[] = readonly Op[],
  Else extends readonly Op[] = readonly Op[],
> {
  readonly kind: 'txn';
  readonly if: readonly Compare[];
  readonly then: Then;
  readonly else: Else;
}

export type Op = GetOp | PutOp | RemoveOp | TxnOp;

export function get(target: RangeLike, options: GetOptions = {}): GetOp {
  const { limit = 0, revision = 0n, sort } = options;
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw new RangeError('limit must be a whole number, 0 or more');
  return {
    kind: 'get',
    range: toRange(target),
    limit,
    revision: revisionOption(revision, 'revision'),
    ...(sort && { sort: checkedSort(sort) }),
    serializable: options.serializable ?? false,
    keysOnly: options.keysOnly ?? false,
    countOnly: options.countOnly ?? false,
    minModRevision: revisionOption(options.minModRevision, 'minModRevision'),
    maxModRevision: revisionOption(options.maxModRevision, 'maxModRevision'),
    minCreateRevision: revisionOption(options.minCreateRevision, 'minCreateRevision'),
    maxCreateRevision: revisionOption(options.maxCreateRevision, 'maxCreateRevision'),
  };
}

export function put(key: Bytes, value: Bytes, options: PutOptions = {}): PutOp {
  const { lease = 0n, prevKv = false, ignoreValue = false, ignoreLease = false } = options;
  const bytes = toBytes(value);
  // The server refuses these two; saying so here names the argument.
  if (ignoreValue && bytes.length > 0) throw new TypeError('with ignoreValue the value must be empty');
  if (ignoreLease && lease !== 0n) throw new TypeError('with ignoreLease no lease can be given');
  checkInt64(lease, 'lease');
  return { kind: 'put', key: keyBytes(key), value: bytes, lease, prevKv, ignoreValue, ignoreLease };
}

export function remove(target: RangeLike, options: RemoveOptions = {}): RemoveOp {
  return { kind: 'remove', range: toRange(target), prevKv: options.prevKv ?? false };
}

export interface TxnParts<Then extends readonly Op[], Else extends readonly Op[]> {
  /** All must hold. @default [] (always true) */
  readonly if?: readonly Compare[];
  readonly then?: Then;
  readonly else?: Else;
}

/** All compares, also those of nested transactions, see the state before the transaction; one revision for all its writes. */
export function txn<const Then extends readonly Op[] = [], const Else extends readonly Op[] = []>(
  parts: TxnParts<Then, Else>,
): TxnOp<Then, Else> {
  checkParts(parts);
  // An absent branch is the empty one, which is what its type parameter then says.
  return {
    kind: 'txn',
    if: parts.if ?? [],
    then: parts.then ?? ([] as readonly Op[] as Then),
    else: parts.else ?? ([] as readonly Op[] as Else),
  };
}

/** Otherwise the wire would refuse them after they count as sent. @throws TypeError */
function checkParts({
  if: compares = [],
  then = [],
  else: otherwise = [],
}: TxnParts<readonly Op[], readonly Op[]>): void {
  if (![compares, then, otherwise].every(Array.isArray))
    throw new TypeError('if, then and else must be arrays');
  compares.forEach((each: unknown, i) => {
    if (!hasField(each, 'target')) throw new TypeError(`if[${i}] is nothing that compare.* has returned`);
  });
  for (const op of [...then, ...otherwise]) checkOp(op);
}

/** @throws TypeError unless it looks like what `get`, `put`, `remove` or `txn` return */
export function checkOp(op: unknown): void {
  const kind = hasField(op, 'kind') ? op.kind : undefined;
  const isWhole =
    (kind === 'put' && hasField(op, 'key') && hasField(op, 'value')) ||
    ((kind === 'get' || kind === 'remove') && hasField(op, 'range')) ||
    (kind === 'txn' && hasField(op, 'then'));
  if (!isWhole) throw new TypeError('an operation must be what get(), put(), remove() or txn() has returned');
}

function hasField<K extends string>(value: unknown, field: K): value is Record<K, unknown> {
  return typeof value === 'object' && value !== null && field in value;
}

export type CompareResult = '=' | '!=' | '<' | '>';

export type Compare = NumberCompare | ValueCompare;

export interface NumberCompare {
  readonly target: 'version' | 'createRevision' | 'modRevision' | 'lease';
  readonly range: KeyRange;
  readonly result: CompareResult;
  readonly operand: bigint;
}

export interface ValueCompare {
  readonly target: 'value';
  readonly range: KeyRange;
  readonly result: CompareResult;
  readonly operand: Uint8Array;
}

type CompareNumber = (target: RangeLike, result: CompareResult, operand: bigint) => NumberCompare;

const compareNumber =
  (target: NumberCompare['target']): CompareNumber =>
  (range, result, operand) => {
    checkInt64(operand, `the operand of compare.${target}`);
    return { target, range: toRange(range), result: checkedResult(result), operand };
  };

/**
 * Conditions of a transaction. Over a range every key in it must satisfy the condition. An absent key (or an empty
 * range) has version, revisions and lease 0; a compare of its value is false.
 */
export const compare: {
  readonly version: CompareNumber;
  readonly createRevision: CompareNumber;
  readonly modRevision: CompareNumber;
  readonly lease: CompareNumber;
  readonly value: (target: RangeLike, result: CompareResult, operand: Bytes) => ValueCompare;
} = {
  version: compareNumber('version'),
  createRevision: compareNumber('createRevision'),
  modRevision: compareNumber('modRevision'),
  lease: compareNumber('lease'),
  value: (target, result, operand) => ({
    target: 'value',
    range: toRange(target),
    result: checkedResult(result),
    operand: toBytes(operand, 'operand'),
  }),
};

function checkedResult(result: CompareResult): CompareResult {
  // etcd3 silently turns a result it does not know into "equal".
  if (!['=', '!=', '<', '>'].includes(result))
    throw new TypeError(`unknown comparison ${JSON.stringify(result)}`);
  return result;
}

function checkedSort([target, order]: readonly [SortTarget, SortOrder]): readonly [SortTarget, SortOrder] {
  // etcd would silently sort by key, ascending.
  if (!sortTargets.includes(target)) throw new TypeError(`unknown sort target ${JSON.stringify(target)}`);
  if (!sortOrders.includes(order)) throw new TypeError(`unknown sort order ${JSON.stringify(order)}`);
  return [target, order];
}

export function toRange(target: RangeLike): KeyRange {
  if (typeof target === 'string' || target instanceof Uint8Array) return { key: keyBytes(target) };
  if (typeof target !== 'object' || !(target.key instanceof Uint8Array))
    throw new TypeError('expected a key, or what prefix, range or fromKey return');
  return { key: keyBytes(target.key), ...(target.end && { end: toBytes(target.end, 'range end') }) };
}

function keyBytes(key: Bytes, what = 'key'): Uint8Array {
  const bytes = toBytes(key, what);
  if (bytes.length === 0) throw new TypeError(`${what} must not be empty`);
  return bytes;
}

/** @throws TypeError, RangeError */
export function revisionOption(revision: bigint | undefined, what: string): bigint {
  if (revision === undefined) return 0n;
  if (checkInt64(revision, what) < 0n) throw new RangeError(`${what} must not be negative`);
  return revision;
}
