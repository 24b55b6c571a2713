import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.js';
import { ConclaveError, OutcomeUnknownError } from '../../src/base/errors.js';
import {
  blamesEndpoint,
  isSpaceExceeded,
  type Outcome,
  outcomeOf,
  toConclaveError,
} from '../../src/store/outcome.js';
import { TransportError, type TransportStatus } from '../../src/store/transport.js';

type Row = readonly [
  status: TransportStatus,
  detail: string,
  outcome: Outcome,
  read: ErrorCode,
  write: ErrorCode,
];

/** What servers and grpc-js say, and what it means for the request. */
const sent: readonly Row[] = [
  // The server did not look at the request.
  ['unknown', 'etcdserver: too many requests', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  ['resource-exhausted', 'etcdserver: too many requests', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  ['unavailable', 'etcdserver: rpc not supported for learner', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  [
    'failed-precondition',
    'etcdserver: rpc not supported for learner',
    'not-done',
    'UNAVAILABLE',
    'UNAVAILABLE',
  ],
  ['unauthenticated', 'etcdserver: invalid auth token', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  ['invalid-argument', 'etcdserver: revision of auth store is old', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],

  // It may have.
  [
    'resource-exhausted',
    'etcdserver: mvcc: database space exceeded',
    'unknown',
    'RESOURCE_EXHAUSTED',
    'OUTCOME_UNKNOWN',
  ],
  [
    'resource-exhausted',
    'Received message larger than max',
    'unknown',
    'RESOURCE_EXHAUSTED',
    'OUTCOME_UNKNOWN',
  ],
  ['resource-exhausted', 'Bandwidth exhausted', 'unknown', 'RESOURCE_EXHAUSTED', 'OUTCOME_UNKNOWN'],
  ['unavailable', 'etcdserver: request timed out', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  [
    'unavailable',
    'etcdserver: request timed out, possibly due to connection lost',
    'unknown',
    'UNAVAILABLE',
    'OUTCOME_UNKNOWN',
  ],
  ['unavailable', 'etcdserver: leader changed', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['unavailable', 'etcdserver: no leader', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['unavailable', 'etcdserver: server stopped', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['unavailable', 'Connection dropped', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['deadline-exceeded', '', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['cancelled', 'Call cancelled', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['internal', 'Received RST_STREAM', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['unknown', 'etcdserver: not a primary lessor', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['aborted', '', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],
  ['data-loss', 'etcdserver: corrupt cluster', 'unknown', 'UNAVAILABLE', 'OUTCOME_UNKNOWN'],

  // It did, and said no.
  [
    'resource-exhausted',
    'grpc: received message larger than max (3000123 vs. 2097152)',
    'refused',
    'INVALID_REQUEST',
    'INVALID_REQUEST',
  ],
  ['not-found', 'etcdserver: requested lease not found', 'refused', 'NOT_FOUND', 'NOT_FOUND'],
  ['invalid-argument', 'etcdserver: key not found', 'refused', 'NOT_FOUND', 'NOT_FOUND'],
  ['not-found', 'etcdserver: member not found', 'refused', 'NOT_FOUND', 'NOT_FOUND'],
  ['failed-precondition', 'etcdserver: lease already exists', 'refused', 'ALREADY_EXISTS', 'ALREADY_EXISTS'],
  ['already-exists', 'something', 'refused', 'ALREADY_EXISTS', 'ALREADY_EXISTS'],
  [
    'out-of-range',
    'etcdserver: mvcc: required revision has been compacted',
    'refused',
    'COMPACTED',
    'COMPACTED',
  ],
  [
    'out-of-range',
    'etcdserver: mvcc: required revision is a future revision',
    'refused',
    'FUTURE_REVISION',
    'FUTURE_REVISION',
  ],
  ['out-of-range', 'etcdserver: too large lease TTL', 'refused', 'INVALID_REQUEST', 'INVALID_REQUEST'],
  [
    'invalid-argument',
    'etcdserver: too many operations in txn request',
    'refused',
    'INVALID_REQUEST',
    'INVALID_REQUEST',
  ],
  [
    'invalid-argument',
    'etcdserver: duplicate key given in txn request',
    'refused',
    'INVALID_REQUEST',
    'INVALID_REQUEST',
  ],
  ['invalid-argument', 'etcdserver: request is too large', 'refused', 'INVALID_REQUEST', 'INVALID_REQUEST'],
  ['permission-denied', 'etcdserver: permission denied', 'refused', 'AUTH', 'AUTH'],
  [
    'invalid-argument',
    'etcdserver: authentication failed, invalid user ID or password',
    'refused',
    'AUTH',
    'AUTH',
  ],
  ['invalid-argument', 'etcdserver: user name is empty', 'refused', 'AUTH', 'AUTH'],
  ['unauthenticated', 'something', 'refused', 'AUTH', 'AUTH'],
  ['failed-precondition', 'etcdserver: not capable', 'refused', 'INVALID_REQUEST', 'INVALID_REQUEST'],
  ['unimplemented', 'unknown service', 'refused', 'UNSUPPORTED', 'UNSUPPORTED'],
];

/** Nothing of the request left this process. */
const unsent: readonly Row[] = [
  [
    'unavailable',
    'No connection established. Last error: connect ECONNREFUSED',
    'not-done',
    'UNAVAILABLE',
    'UNAVAILABLE',
  ],
  ['unavailable', 'Channel closed before call started', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  ['unavailable', 'Name resolution failed for target dns:nowhere', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  ['cancelled', 'cancelled by the caller', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  ['deadline-exceeded', 'authentication took too long', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  ['internal', 'etcdserver: internal', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
  // The login before the request was refused: the request did not leave, and would not the next time either.
  [
    'invalid-argument',
    'etcdserver: authentication failed, invalid user ID or password',
    'refused',
    'AUTH',
    'AUTH',
  ],
  ['permission-denied', 'etcdserver: permission denied', 'refused', 'AUTH', 'AUTH'],
  ['unauthenticated', 'etcdserver: invalid auth token', 'not-done', 'UNAVAILABLE', 'UNAVAILABLE'],
];

const check = (rows: readonly Row[], neverSent: boolean): void => {
  it.each(rows)(
    '%s "%s" means %s: a read ends as %s, a mutation as %s',
    (status, detail, outcome, read, write) => {
      const error = new TransportError(status, detail, { neverSent });
      expect(outcomeOf(error)).toBe(outcome);
      for (const [isMutation, code] of [
        [false, read],
        [true, write],
      ] as const) {
        const ours = toConclaveError(error, 'put "a"', isMutation);
        expect(ours).toBeInstanceOf(ConclaveError);
        expect(ours).toMatchObject({ code, message: expect.stringMatching(/^put "a": ./) as string });
      }
    },
  );
};

describe('the answer of a server', () => check(sent, false));
describe('a failure before the request was sent', () => check(unsent, true));

describe('a certificate that is not accepted', () => {
  it.each([
    'No connection established. Last error: self-signed certificate',
    'No connection established. Last error: unable to verify the first certificate',
    "Hostname/IP does not match certificate's altnames: Host: localhost",
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  ])('is an AuthError that says what to look at: %s', (detail) => {
    const error = new TransportError('unavailable', detail, { neverSent: true });
    expect(toConclaveError(error, 'get "a"', false)).toMatchObject({
      code: 'AUTH',
      cause: error,
      message: expect.stringContaining('tls.ca') as string,
    });
  });

  it('is not suspected in what a server says about a request', () => {
    const error = new TransportError('unavailable', 'certificate');
    expect(toConclaveError(error, 'put "a"', true).code).toBe('OUTCOME_UNKNOWN');
  });
});

describe('a store over its quota', () => {
  const error = new TransportError('resource-exhausted', 'etcdserver: mvcc: database space exceeded');

  it('leaves a mutation unknown, with the quota as its cause', () => {
    const ours = toConclaveError(error, 'put "a"', true);
    expect(ours).toBeInstanceOf(OutcomeUnknownError);
    expect(ours.cause).toMatchObject({ code: 'RESOURCE_EXHAUSTED', cause: error });
    expect(isSpaceExceeded(ours)).toBe(true);
    expect(isSpaceExceeded(new Error('x', { cause: 'database space exceeded' }))).toBe(false);
  });
});

describe('an endpoint', () => {
  it.each<[TransportStatus, string, boolean]>([
    ['unavailable', 'connection lost', true],
    ['deadline-exceeded', 'no answer', true],
    ['unavailable', 'etcdserver: rpc not supported for learner', true],
    ['resource-exhausted', 'etcdserver: mvcc: database space exceeded', false],
    ['unknown', 'etcdserver: too many requests', false],
    ['not-found', 'etcdserver: requested lease not found', false],
  ])('that answers %s "%s" is to blame: %s', (status, detail, isBlamed) => {
    expect(blamesEndpoint(new TransportError(status, detail))).toBe(isBlamed);
  });
});
