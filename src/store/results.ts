import type { GetOp, Op, PutOp, RemoveOp, TxnOp } from './operations.js';

/** Comes with every answer of the store. */
export interface Header {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** The store's revision when it answered. For a write: the revision of that write. */
  readonly revision: bigint;
  readonly raftTerm: bigint;
}

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Revision of the put that created the key; unique per life of a key, ever increasing over lives. */
  readonly createRevision: bigint;
  /** Revision of the latest put. */
  readonly modRevision: bigint;
  /** 1 at creation, +1 per put. */
  readonly version: bigint;
  /** The lease it is attached to; 0n for none. */
  readonly lease: bigint;
}

export interface GetResult {
  readonly kind: 'get';
  readonly kvs: readonly KeyValue[];
  /** True if `limit` cut the answer short. */
  readonly more: boolean;
  /** Number of keys in the range, whatever the limit. */
  readonly count: number;
}

export interface PutResult {
  readonly kind: 'put';
  readonly prevKv?: KeyValue;
}

export interface RemoveResult {
  readonly kind: 'remove';
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

/** Which branch ran, and the result of each of its operations in order. */
export type TxnResult<
  Then extends readonly Op[] = readonly Op[],
  Else extends readonly Op[] = readonly Op[],
> =
  | { readonly kind: 'txn'; readonly succeeded: true; readonly responses: ResultsOf<Then> }
  | { readonly kind: 'txn'; readonly succeeded: false; readonly responses: ResultsOf<Else> };

/** The result that belongs to an operation. */
export type ResultOf<O extends Op> = O extends GetOp
  ? GetResult
  : O extends PutOp
    ? PutResult
    : O extends RemoveOp
      ? RemoveResult
      : O extends TxnOp<infer Then, infer Else>
        ? TxnResult<Then, Else>
        : never;

export type ResultsOf<Ops extends readonly Op[]> = { readonly [I in keyof Ops]: ResultOf<Ops[I]> };

export type OpResult = GetResult | PutResult | RemoveResult | TxnResult;

/** A result with the header of the answer it came in. */
export type Answer<T> = T & { readonly header: Header };

export interface StoreEvent {
  readonly type: 'put' | 'delete';
  /** For a delete only `key` and `modRevision` (the revision of the deletion) carry information. */
  readonly kv: KeyValue;
  /** The pair before, if the watch asked for it and it is not compacted. */
  readonly prevKv?: KeyValue;
}
