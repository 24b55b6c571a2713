import { TransportError, type TransportStatus } from '../store/transport.js';

/** What grpc-js rejects with. */
export interface RpcError extends Error {
  readonly code: number;
  readonly details: string;
}

/** Index is the gRPC status code; 0 is no error. */
const statuses: readonly TransportStatus[] = [
  'unknown',
  'cancelled',
  'unknown',
  'invalid-argument',
  'deadline-exceeded',
  'not-found',
  'already-exists',
  'permission-denied',
  'resource-exhausted',
  'failed-precondition',
  'aborted',
  'out-of-range',
  'unimplemented',
  'internal',
  'unavailable',
  'data-loss',
  'unauthenticated',
];

/**
 * The texts grpc-js 1.14 gives to calls for which it had no connection: nothing was written. Any other text may belong to
 * a request that arrived. test/etcd/failures.cluster.test.ts pins them to the situations.
 */
const neverSent: readonly string[] = [
  'No connection established',
  'Channel closed before call started',
  'Name resolution failed',
];

/** The connection was lost between choosing it and writing to it; grpc-js reports `INTERNAL`. */
const notStarted = 'Failed to start HTTP/2 stream';

/** What grpc-js 1.14 appends even if it has nothing to note. */
const emptyNote = /\.? *Resolution note: *$/;

export function isRpcError(error: Error): error is RpcError {
  return 'code' in error && 'details' in error;
}

export function toTransportError(error: RpcError): TransportError {
  const details = error.details.replace(emptyNote, '');
  if (details.startsWith(notStarted))
    return new TransportError('unavailable', details, { neverSent: true, cause: error });
  const status = statuses[error.code] ?? 'unknown';
  return new TransportError(status, details, {
    neverSent: status === 'unavailable' && neverSent.some((text) => details.startsWith(text)),
    cause: error,
  });
}

/** Callers get nothing else. What is not one yet is a defect, here or in what a caller passed. */
export function asTransportError(error: unknown): TransportError {
  if (error instanceof TransportError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new TransportError('internal', text, { cause: error });
}

/** True if the connection failed, not the server behind it, whose texts all start with its name. */
export function isConnectionFailure({ status, detail }: TransportError): boolean {
  return status === 'unavailable' && !detail.startsWith('etcdserver:');
}

/** True if the server refused the token itself. It did so before it looked at the request, which is surely not done. */
export function isStaleToken(error: unknown): boolean {
  if (!(error instanceof TransportError)) return false;
  return [
    'etcdserver: invalid auth token',
    'etcdserver: revision of auth store is old',
    'etcdserver: user name is empty', // authentication was enabled after we found it disabled
  ].includes(error.detail);
}
