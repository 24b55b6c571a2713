import type {
  ICompare,
  IDeleteRangeRequest,
  IPutRequest,
  IRangeRequest,
  IRequestOp,
  ITxnRequest,
  IWatchRequest,
} from 'etcd3';

import type {
  Compare,
  CompareResult,
  GetOp,
  KeyRange,
  Op,
  PutOp,
  RemoveOp,
  SortOrder,
  SortTarget,
  TxnOp,
} from '../store/operations.js';
import type { WatchCommand } from '../store/transport.js';

/**
 * Operations as the objects etcd3's protobuf definitions expect. Its enums have names of their own, and a name it does
 * not know silently becomes the first of the enum, so every name is checked against etcd3's types here and by its
 * effect in test/etcd/translation.cluster.test.ts.
 */

export function encodeGet(op: GetOp): IRangeRequest {
  const [target, order] = op.sort ?? [];
  return {
    ...encodeRange(op.range),
    limit: op.limit,
    revision: op.revision.toString(),
    ...(target && { sort_target: sortTargets[target] }),
    ...(order && { sort_order: sortOrders[order] }),
    serializable: op.serializable,
    keys_only: op.keysOnly,
    count_only: op.countOnly,
    min_mod_revision: op.minModRevision.toString(),
    max_mod_revision: op.maxModRevision.toString(),
    min_create_revision: op.minCreateRevision.toString(),
    max_create_revision: op.maxCreateRevision.toString(),
  };
}

export function encodePut(op: PutOp): IPutRequest {
  return {
    key: asBuffer(op.key),
    value: asBuffer(op.value),
    lease: op.lease.toString(),
    prev_kv: op.prevKv,
    ignore_value: op.ignoreValue,
    ignore_lease: op.ignoreLease,
  };
}

export function encodeRemove(op: RemoveOp): IDeleteRangeRequest {
  return { ...encodeRange(op.range), prev_kv: op.prevKv };
}

export function encodeTxn(op: TxnOp): ITxnRequest {
  return {
    compare: op.if.map(encodeCompare),
    success: op.then.map(encodeOp),
    failure: op.else.map(encodeOp),
  };
}

export function encodeWatchCommand(command: WatchCommand): IWatchRequest {
  switch (command.kind) {
    case 'create':
      return {
        create_request: {
          ...encodeRange(command.range),
          watch_id: command.watchId.toString(),
          start_revision: command.startRevision.toString(),
          prev_kv: command.prevKv,
          filters: command.exclude.map((type) => (type === 'put' ? 'Noput' : 'Nodelete')),
          fragment: true,
        },
      };
    case 'cancel':
      return { cancel_request: { watch_id: command.watchId.toString() } };
    case 'progress':
      return { progress_request: {} };
  }
}

const sortTargets = {
  key: 'Key',
  version: 'Version',
  create: 'Create',
  mod: 'Mod',
  value: 'Value',
} as const satisfies Record<SortTarget, IRangeRequest['sort_target']>;

const sortOrders = { ascend: 'Ascend', descend: 'Descend' } as const satisfies Record<
  SortOrder,
  IRangeRequest['sort_order']
>;

const compareResults = {
  '=': 'Equal',
  '!=': 'NotEqual',
  '<': 'Less',
  '>': 'Greater',
} as const satisfies Record<CompareResult, ICompare['result']>;

function encodeCompare(compare: Compare): ICompare {
  return { ...encodeRange(compare.range), result: compareResults[compare.result], ...encodeOperand(compare) };
}

function encodeOperand(compare: Compare): ICompare {
  switch (compare.target) {
    case 'version':
      return { target: 'Version', version: compare.operand.toString() };
    case 'createRevision':
      return { target: 'Create', create_revision: compare.operand.toString() };
    case 'modRevision':
      return { target: 'Mod', mod_revision: compare.operand.toString() };
    case 'lease':
      return { target: 'Lease', lease: compare.operand.toString() };
    case 'value':
      return { target: 'Value', value: asBuffer(compare.operand) };
  }
}

function encodeOp(op: Op): IRequestOp {
  switch (op.kind) {
    case 'get':
      return { request_range: encodeGet(op) };
    case 'put':
      return { request_put: encodePut(op) };
    case 'remove':
      return { request_delete_range: encodeRemove(op) };
    case 'txn':
      return { request_txn: encodeTxn(op) };
  }
}

/** A single key must have no `range_end` at all: etcd takes an empty one for "all keys from here on". */
export function encodeRange({ key, end }: KeyRange): { key: Buffer; range_end?: Buffer } {
  return end?.length ? { key: asBuffer(key), range_end: asBuffer(end) } : { key: asBuffer(key) };
}

/** The same bytes, not a copy: an operation owns what it was built from. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
