import { TransportError, type TransportStatus } from '../store/transport.js';

export type Reason =
  | 'emptyKey'
  | 'keyNotFound'
  | 'valueProvided'
  | 'leaseProvided'
  | 'tooManyOps'
  | 'duplicateKey'
  | 'compacted'
  | 'futureRevision'
  | 'noSpace'
  | 'leaseNotFound'
  | 'leaseExists'
  | 'leaseTtlTooLarge'
  | 'stopped';

const answers: Record<Reason, readonly [TransportStatus, string]> = {
  emptyKey: ['invalid-argument', 'etcdserver: key is not provided'],
  keyNotFound: ['invalid-argument', 'etcdserver: key not found'],
  valueProvided: ['invalid-argument', 'etcdserver: value is provided'],
  leaseProvided: ['invalid-argument', 'etcdserver: lease is provided'],
  tooManyOps: ['invalid-argument', 'etcdserver: too many operations in txn request'],
  duplicateKey: ['invalid-argument', 'etcdserver: duplicate key given in txn request'],
  compacted: ['out-of-range', 'etcdserver: mvcc: required revision has been compacted'],
  futureRevision: ['out-of-range', 'etcdserver: mvcc: required revision is a future revision'],
  noSpace: ['resource-exhausted', 'etcdserver: mvcc: database space exceeded'],
  leaseNotFound: ['not-found', 'etcdserver: requested lease not found'],
  leaseExists: ['failed-precondition', 'etcdserver: lease already exists'],
  leaseTtlTooLarge: ['out-of-range', 'etcdserver: too large lease TTL'],
  stopped: ['unavailable', 'etcdserver: server stopped'],
};

/**
 * The error with which the engine refuses a request: etcd's own status and text, since the layers above read both and
 * must not be able to tell the engine from a server.
 */
export function refusal(reason: Reason): TransportError {
  const [status, text] = answers[reason];
  return new TransportError(status, text);
}
