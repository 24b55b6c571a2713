import type {
  IDeleteRangeResponse,
  IEvent,
  IKeyValue,
  IPutResponse,
  IRangeResponse,
  IResponseHeader,
  IResponseOp,
  ITxnResponse,
  IWatchResponse,
} from 'etcd3';

import type {
  GetResult,
  Header,
  KeyValue,
  OpResult,
  PutResult,
  RemoveResult,
  StoreEvent,
  TxnResult,
} from '../store/results.js';
import type { WatchMessage } from '../store/transport.js';

/** What etcd3 parsed (64-bit numbers as decimal text, bytes as Buffers) as results of the store. */

export function decodeHeader(header: IResponseHeader): Header {
  return {
    clusterId: BigInt(header.cluster_id),
    memberId: BigInt(header.member_id),
    revision: BigInt(header.revision),
    raftTerm: BigInt(header.raft_term),
  };
}

export function decodeGet(response: IRangeResponse): GetResult {
  return {
    kind: 'get',
    kvs: response.kvs.map(decodeKeyValue),
    more: response.more,
    count: Number(response.count),
  };
}

export function decodePut(response: IPutResponse): PutResult {
  return { kind: 'put', ...decodePrevious(response.prev_kv) };
}

export function decodeRemove(response: IDeleteRangeResponse): RemoveResult {
  return {
    kind: 'remove',
    deleted: Number(response.deleted),
    prevKvs: response.prev_kvs.map(decodeKeyValue),
  };
}

export function decodeTxn(response: ITxnResponse): TxnResult {
  return {
    kind: 'txn',
    succeeded: response.succeeded,
    responses: response.responses.map(decodeOp),
  };
}

export function decodeWatchMessage(response: IWatchResponse): WatchMessage {
  return {
    header: decodeHeader(response.header),
    watchId: BigInt(response.watch_id),
    created: response.created,
    canceled: response.canceled,
    cancelReason: response.cancel_reason,
    compactRevision: BigInt(response.compact_revision),
    fragment: response.fragment,
    events: response.events.map(decodeEvent),
  };
}

/** A copy, since etcd3 hands out a window on the whole message, which would live as long as the smallest key in it. */
export function decodeBytes(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes);
}

/** etcd3's types say that all four are there; the wire has the one that ran. */
function decodeOp(op: Partial<IResponseOp>): OpResult {
  if (op.response_range) return decodeGet(op.response_range);
  if (op.response_put) return decodePut(op.response_put);
  if (op.response_delete_range) return decodeRemove(op.response_delete_range);
  if (op.response_txn) return decodeTxn(op.response_txn);
  throw new TypeError('an operation of the transaction has no result');
}

function decodeEvent(event: IEvent): StoreEvent {
  return {
    type: event.type === 'Put' ? 'put' : 'delete',
    kv: decodeKeyValue(event.kv),
    ...decodePrevious(event.prev_kv),
  };
}

/** etcd3's types say that it is always there; on the wire an absent one is null. */
function decodePrevious(kv: IKeyValue | null): { prevKv?: KeyValue } {
  return kv ? { prevKv: decodeKeyValue(kv) } : {};
}

function decodeKeyValue(kv: IKeyValue): KeyValue {
  return {
    key: decodeBytes(kv.key),
    value: decodeBytes(kv.value),
    createRevision: BigInt(kv.create_revision),
    modRevision: BigInt(kv.mod_revision),
    version: BigInt(kv.version),
    lease: BigInt(kv.lease),
  };
}
