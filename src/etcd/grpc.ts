import type { RpcError } from './rpc-error.js';

/**
 * The part of grpc-js we use, in our own words: etcd3 generates its clients at run time and types them as their base
 * class, without the methods of the services.
 */

export type Service = 'KV' | 'Lease' | 'Watch' | 'Maintenance' | 'Auth';

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
  | 'authenticate';

export type StreamMethod = 'watch' | 'leaseKeepAlive';

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

export type Client = Readonly<
  Record<
    UnaryMethod,
    (
      request: object,
      metadata: Metadata,
      answered: (error: RpcError | null, response: unknown) => void,
    ) => Rpc
  > &
    Record<StreamMethod, (metadata: Metadata) => Duplex>
> & { close(): void };
