import type { AdminCalls, AdminMethod, SnapshotPiece } from './admin-calls.js';
import type { GetOp, KeyRange, PutOp, RemoveOp, TxnOp } from './operations.js';
import type { Answer, GetResult, Header, PutResult, RemoveResult, StoreEvent, TxnResult } from './results.js';

/**
 * The only door to the network. Everything that needs judgement (which endpoint, when to retry, what an error means,
 * how a watch resumes) is above it, once; a transport only carries plain objects to one named endpoint and back.
 */
export interface Transport {
  /** Where a request can be sent; at least one. */
  readonly endpoints: readonly string[];
  /**
   * Sends one request, once. Never retries. Rejects with `TransportError` only.
   * When `signal` aborts it rejects soon with status `cancelled`; the request may still be executed.
   */
  unary<M extends Method>(
    endpoint: string,
    method: M,
    request: Calls[M]['request'],
    options: UnaryOptions,
  ): Promise<Calls[M]['response']>;
  /**
   * Opens a stream. Never throws: a failure, also a normal end by the server, arrives once as `ended`. The listener is
   * not called before this returns.
   */
  watchStream(endpoint: string, listener: StreamListener<WatchMessage>): Stream<WatchCommand>;
  keepAliveStream(endpoint: string, listener: StreamListener<KeepAliveMessage>): Stream<KeepAliveCommand>;
  /** Drops the connection to an endpoint that has been silent; the next call dials anew. Calls under way end as `unavailable`. */
  reset(endpoint: string): void;
  /** Ends every call and stream (status `cancelled`), and leaves no socket or timer. Idempotent. */
  close(): Promise<void>;
  /** Left out where there is no cluster to administer. */
  readonly admin?: AdminTransport;
}

/** The part of a transport that administers a cluster. Ended by `reset` and `close` of the transport it belongs to. */
export interface AdminTransport {
  /** As `Transport.unary`. */
  unary<M extends AdminMethod>(
    endpoint: string,
    method: M,
    request: AdminCalls[M]['request'],
    options: UnaryOptions,
  ): Promise<AdminCalls[M]['response']>;
  /**
   * The database of a member, in order; read no faster than it is taken. Throws `TransportError` only, when `signal` aborts
   * with status `cancelled`; a stream that ends early but regularly is for the reader to notice.
   */
  snapshot(endpoint: string, signal: AbortSignal): AsyncGenerator<SnapshotPiece, void, undefined>;
  /** Requests and streams may go there too from now on. @throws TypeError for what cannot be used as an endpoint */
  admit(endpoint: string): void;
}

export interface UnaryOptions {
  readonly signal: AbortSignal;
  /** Ask a member that knows no leader to refuse at once instead of waiting for one. */
  readonly requireLeader: boolean;
}

/** Streams always require a leader: a member cut off from the others ends them after about three election timeouts. */
export interface Stream<Command> {
  /** Written in order. After the end it does nothing. */
  send(command: Command): void;
  /** Ends the stream from this side; no message and no `ended` comes after it returns. */
  close(): void;
}

export interface StreamListener<Message> {
  message(message: Message): void;
  ended(error: TransportError): void;
}

/** Request and response of each unary method. */
export interface Calls {
  get: { request: GetOp; response: Answer<GetResult> };
  put: { request: PutOp; response: Answer<PutResult> };
  remove: { request: RemoveOp; response: Answer<RemoveResult> };
  txn: { request: TxnOp; response: Answer<TxnResult> };
  compact: {
    request: { readonly revision: bigint; readonly physical: boolean };
    response: { readonly header: Header };
  };
  /** With id 0n the server chooses one. */
  leaseGrant: {
    request: { readonly id: bigint; readonly ttlSeconds: number };
    response: { readonly header: Header; readonly id: bigint; readonly ttlSeconds: number };
  };
  leaseRevoke: { request: { readonly id: bigint }; response: { readonly header: Header } };
  /** An absent lease is not an error: `ttlSeconds` is -1. */
  leaseTimeToLive: {
    request: { readonly id: bigint; readonly keys: boolean };
    response: {
      readonly header: Header;
      readonly id: bigint;
      /** Remaining. */
      readonly ttlSeconds: number;
      readonly grantedTtlSeconds: number;
      readonly keys: readonly Uint8Array[];
    };
  };
  leaseList: {
    request: Readonly<Record<string, never>>;
    response: { readonly header: Header; readonly leases: readonly bigint[] };
  };
  status: {
    request: Readonly<Record<string, never>>;
    response: {
      readonly header: Header;
      readonly version: string;
      readonly dbSizeBytes: bigint;
      /** Member id of the leader; 0n if this member knows none. */
      readonly leader: bigint;
    };
  };
}

export type Method = keyof Calls;

export type WatchCommand =
  | {
      readonly kind: 'create';
      /** Chosen by the client, above 0, never used twice on a stream. */
      readonly watchId: bigint;
      readonly range: KeyRange;
      /** First revision to deliver; 0n means from now. */
      readonly startRevision: bigint;
      readonly prevKv: boolean;
      readonly exclude: readonly ('put' | 'delete')[];
    }
  | { readonly kind: 'cancel'; readonly watchId: bigint }
  /** Asks for a message that carries only a header: a heartbeat. */
  | { readonly kind: 'progress' };

export interface WatchMessage {
  readonly header: Header;
  /** -1n for the answer to `progress`, and (seen on etcd 3.4.23) for a creation that is refused. */
  readonly watchId: bigint;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly cancelReason: string;
  /** Not 0n: the watch was canceled since it asked for revisions older than this one. */
  readonly compactRevision: bigint;
  /** More events of the same revision follow in the next message. Transports ask for fragments. */
  readonly fragment: boolean;
  readonly events: readonly StoreEvent[];
}

export interface KeepAliveCommand {
  readonly lease: bigint;
}

export interface KeepAliveMessage {
  readonly header: Header;
  readonly lease: bigint;
  /** 0 or less: the lease does not exist any more. */
  readonly ttlSeconds: number;
}

/** The canonical RPC status names, as etcd uses them. */
export type TransportStatus =
  | 'cancelled'
  | 'unknown'
  | 'invalid-argument'
  | 'deadline-exceeded'
  | 'not-found'
  | 'already-exists'
  | 'permission-denied'
  | 'resource-exhausted'
  | 'failed-precondition'
  | 'aborted'
  | 'out-of-range'
  | 'unimplemented'
  | 'internal'
  | 'unavailable'
  | 'data-loss'
  | 'unauthenticated';

export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly status: TransportStatus;
  /** The server's own text, unchanged: `store/outcome.ts` reads it. */
  readonly detail: string;
  /** The request surely never left this process: no connection was there. */
  readonly neverSent: boolean;

  constructor(
    status: TransportStatus,
    detail: string,
    { neverSent = false, cause }: { neverSent?: boolean; cause?: unknown } = {},
  ) {
    super(`${status}: ${detail}`, { cause });
    this.status = status;
    this.detail = detail;
    this.neverSent = neverSent;
  }
}
