import type { RpcError } from './rpc-error.js';

/**
 * The part of grpc-js we use, in our own words: etcd3 generates its clients at run time and types them as their base
 * class, without the methods of the services.
 */

export type Service = 'KV' | 'Lease' | 'Watch' | 'Cluster' | 'Maintenance' | 'Auth';

export type UnaryMethod =
  | 'range'
  | 'put'
  | 'deleteRange'
  | 'txn'
  | 'compact'
  | 'leaseGrant'
  | 'leaseRevoke'
  | 'leaseTimeToLive'
  | 'leaseLeases'
  | 'status'
  | 'authenticate'
  | AdminUnaryMethod;

type AdminUnaryMethod =
  | 'memberList'
  | 'memberAdd'
  | 'memberPromote'
  | 'memberUpdate'
  | 'memberRemove'
  | 'authEnable'
  | 'authDisable'
  | 'authStatus'
  | 'userAdd'
  | 'userDelete'
  | 'userGet'
  | 'userList'
  | 'userChangePassword'
  | 'userGrantRole'
  | 'userRevokeRole'
  | 'roleAdd'
  | 'roleDelete'
  | 'roleGet'
  | 'roleList'
  | 'roleGrantPermission'
  | 'roleRevokePermission'
  | 'alarm'
  | 'defragment'
  | 'hashKv'
  | 'moveLeader';

export type StreamMethod = 'watch' | 'leaseKeepAlive';

/** Of these the server alone speaks, after one request. */
export type ReadMethod = 'snapshot';

export interface Metadata {
  set(name: string, value: string): void;
}

export interface Rpc {
  cancel(): void;
}

export interface Duplex extends Rpc {
  write(message: object): boolean;
  on(event: 'data', listener: (message: unknown) => void): this;
  on(event: 'end', listener: () => void): this;
  on(event: 'error', listener: (error: RpcError) => void): this;
}

/** A Readable of Node: what is not taken is not read from the network. */
export interface ServerStream extends Rpc, AsyncIterable<unknown> {
  /** Of the RPC; or of Node, when it is left before its end. */
  on(event: 'error', listener: (error: Error) => void): this;
}

export type Client = Readonly<
  Record<
    UnaryMethod,
    (
      request: object,
      metadata: Metadata,
      answered: (error: RpcError | null, response: unknown) => void,
    ) => Rpc
  > &
    Record<StreamMethod, (metadata: Metadata) => Duplex> &
    Record<ReadMethod, (request: object, metadata: Metadata) => ServerStream>
> & { close(): void };
