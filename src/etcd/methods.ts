import type {
  ICompactionRequest,
  ICompactionResponse,
  IDeleteRangeRequest,
  IDeleteRangeResponse,
  ILeaseGrantRequest,
  ILeaseGrantResponse,
  ILeaseLeasesRequest,
  ILeaseLeasesResponse,
  ILeaseRevokeRequest,
  ILeaseRevokeResponse,
  ILeaseTimeToLiveRequest,
  ILeaseTimeToLiveResponse,
  IPutRequest,
  IPutResponse,
  IRangeRequest,
  IRangeResponse,
  IStatusRequest,
  IStatusResponse,
  ITxnRequest,
  ITxnResponse,
} from 'etcd3';

import type { Calls, Method } from '../store/transport.js';
import { decodeBytes, decodeGet, decodeHeader, decodePut, decodeRemove, decodeTxn } from './decode.js';
import { encodeGet, encodePut, encodeRemove, encodeTxn } from './encode.js';
import type { Service, UnaryMethod } from './grpc.js';

/** Request and response of each method on the wire. */
export interface Wire {
  get: [IRangeRequest, IRangeResponse];
  put: [IPutRequest, IPutResponse];
  remove: [IDeleteRangeRequest, IDeleteRangeResponse];
  txn: [ITxnRequest, ITxnResponse];
  compact: [ICompactionRequest, ICompactionResponse];
  leaseGrant: [ILeaseGrantRequest, ILeaseGrantResponse];
  leaseRevoke: [ILeaseRevokeRequest, ILeaseRevokeResponse];
  leaseTimeToLive: [ILeaseTimeToLiveRequest, Nullable<ILeaseTimeToLiveResponse, 'keys'>];
  leaseList: [ILeaseLeasesRequest, ILeaseLeasesResponse];
  status: [IStatusRequest, IStatusResponse];
}

type Nullable<T, K extends keyof T> = Omit<T, K> & { readonly [P in K]: T[P] | null };

interface Translation<M extends Method> {
  readonly rpc: readonly [Service, UnaryMethod];
  readonly encode: (request: Calls[M]['request']) => Wire[M][0];
  readonly decode: (response: Wire[M][1]) => Calls[M]['response'];
}

/** How each method of the transport is said in etcd's own RPCs. */
export const methods: { readonly [M in Method]: Translation<M> } = {
  get: {
    rpc: ['KV', 'range'],
    encode: encodeGet,
    decode: (response) => ({ ...decodeGet(response), header: decodeHeader(response.header) }),
  },
  put: {
    rpc: ['KV', 'put'],
    encode: encodePut,
    decode: (response) => ({ ...decodePut(response), header: decodeHeader(response.header) }),
  },
  remove: {
    rpc: ['KV', 'deleteRange'],
    encode: encodeRemove,
    decode: (response) => ({ ...decodeRemove(response), header: decodeHeader(response.header) }),
  },
  txn: {
    rpc: ['KV', 'txn'],
    encode: encodeTxn,
    decode: (response) => ({ ...decodeTxn(response), header: decodeHeader(response.header) }),
  },
  compact: {
    rpc: ['KV', 'compact'],
    encode: ({ revision, physical }) => ({ revision: revision.toString(), physical }),
    decode: ({ header }) => ({ header: decodeHeader(header) }),
  },
  leaseGrant: {
    rpc: ['Lease', 'leaseGrant'],
    encode: ({ id, ttlSeconds }) => ({ ID: id.toString(), TTL: ttlSeconds }),
    decode: ({ header, ID, TTL }) => ({
      header: decodeHeader(header),
      id: BigInt(ID),
      ttlSeconds: Number(TTL),
    }),
  },
  leaseRevoke: {
    rpc: ['Lease', 'leaseRevoke'],
    encode: ({ id }) => ({ ID: id.toString() }),
    decode: ({ header }) => ({ header: decodeHeader(header) }),
  },
  leaseTimeToLive: {
    rpc: ['Lease', 'leaseTimeToLive'],
    encode: ({ id, keys }) => ({ ID: id.toString(), keys }),
    decode: ({ header, ID, TTL, grantedTTL, keys }) => ({
      header: decodeHeader(header),
      id: BigInt(ID),
      ttlSeconds: Number(TTL),
      grantedTtlSeconds: Number(grantedTTL),
      keys: (keys ?? []).map(decodeBytes),
    }),
  },
  leaseList: {
    rpc: ['Lease', 'leaseLeases'],
    encode: () => ({}),
    decode: ({ header, leases }) => ({
      header: decodeHeader(header),
      leases: leases.map(({ ID }) => BigInt(ID)),
    }),
  },
  status: {
    rpc: ['Maintenance', 'status'],
    encode: () => ({}),
    decode: ({ header, version, dbSize, leader }) => ({
      header: decodeHeader(header),
      version,
      dbSizeBytes: BigInt(dbSize),
      leader: BigInt(leader),
    }),
  },
};
