import {
  AlreadyExistsError,
  AuthError,
  CompactedError,
  type ConclaveError,
  FutureRevisionError,
  InvalidRequestError,
  NotFoundError,
  OutcomeUnknownError,
  ResourceExhaustedError,
  UnavailableError,
  UnsupportedError,
} from '../base/errors.js';
import type { TransportError } from './transport.js';

/**
 * What a failed request means for what it asked.
 *
 * - `not-done`: it surely had no effect; it may be sent again, anywhere.
 * - `unknown`: it may have been applied, and may yet be applied at any later time.
 * - `refused`: it surely had no effect, and sending it again would change nothing.
 */
export type Outcome = 'not-done' | 'unknown' | 'refused';

const spaceExceeded = 'database space exceeded';
/** How the server's gRPC refuses a request before it has read it. What ours says of an answer begins with a capital. */
const tooLarge = 'grpc: received message larger than max';

/** The answer to a login with a password, of a user that was added without one. */
const noPasswordUser = 'password was given for no password user';

export function outcomeOf({ status, detail, neverSent }: TransportError): Outcome {
  // Comes with status "unknown" since the server does not map it: match the text.
  if (detail.includes('too many requests')) return 'not-done';
  if (detail.includes('rpc not supported for learner')) return 'not-done';
  // A change of the members that could cost the majority; it may pass when the others have come up.
  if (detail.includes('unhealthy cluster')) return 'not-done';
  if (detail.startsWith(tooLarge)) return 'refused';
  if (detail.includes(noPasswordUser)) return 'refused'; // of unknown status, like the first
  // The token, not the request, was refused.
  if (detail.includes('invalid auth token') || detail.includes('revision of auth store is old'))
    return 'not-done';
  switch (status) {
    // "database space exceeded" is among them: the put that crosses the quota is applied and answered so.
    case 'resource-exhausted':
    case 'unavailable':
    case 'deadline-exceeded':
    case 'cancelled':
    case 'internal':
    case 'unknown':
    case 'aborted':
    case 'data-loss':
      return neverSent ? 'not-done' : 'unknown';
    // Also for a request that never left, because the login before it was refused.
    case 'invalid-argument':
    case 'not-found':
    case 'already-exists':
    case 'permission-denied':
    case 'failed-precondition':
    case 'out-of-range':
    case 'unimplemented':
    case 'unauthenticated':
      return 'refused';
    default:
      status satisfies never;
      return 'unknown';
  }
}

/** False if the store, not the way to it, is the reason: another endpoint would answer the same. */
export function blamesEndpoint(error: TransportError): boolean {
  return outcomeOf(error) !== 'refused' && !/database space exceeded|too many requests/.test(error.detail);
}

/**
 * The one place where wire errors become ours.
 *
 * @param what names the request in the message, for example `put "a"`
 */
export function toConclaveError(error: TransportError, what: string, isMutation: boolean): ConclaveError {
  const options = { cause: error };
  const said = error.detail || error.status;
  const denied = whyDenied(error, said);
  if (denied !== undefined) return new AuthError(`${what}: ${denied}`, options);
  switch (outcomeOf(error)) {
    case 'not-done':
      return new UnavailableError(`${what}: not sent or not accepted (${said})`, options);
    case 'unknown':
      return isMutation ? unknownError(error, what, said) : readFailure(error, what, said);
    case 'refused':
      return refusal(error, what, said);
  }
}

function unknownError(error: TransportError, what: string, said: string): ConclaveError {
  if (isSpaceExceeded(error)) {
    const cause = new ResourceExhaustedError(`the store is over its space quota (${said})`, { cause: error });
    return new OutcomeUnknownError(
      `${what}: the store is over its space quota and may or may not have applied this; compact, defragment and disarm the alarm`,
      { cause },
    );
  }
  return new OutcomeUnknownError(
    `${what}: sent, but no answer tells whether it was applied (${said}); it may still be applied later`,
    {
      cause: error,
    },
  );
}

function readFailure(error: TransportError, what: string, said: string): ConclaveError {
  if (isSpaceExceeded(error))
    return new ResourceExhaustedError(`${what}: the store is over its space quota (${said})`, {
      cause: error,
    });
  if (error.status === 'resource-exhausted')
    return new ResourceExhaustedError(`${what}: ${said}`, { cause: error });
  return new UnavailableError(`${what}: no answer (${said})`, { cause: error });
}

function refusal(error: TransportError, what: string, said: string): ConclaveError {
  const options = { cause: error };
  if (/lease not found/.test(said))
    return new NotFoundError(`${what}: the lease does not exist (expired or revoked)`, options);
  if (/key not found/.test(said))
    return new NotFoundError(`${what}: the key does not exist (${said})`, options);
  if (/lease already exists/.test(said))
    return new AlreadyExistsError(`${what}: the lease exists already`, options);
  if (/has been compacted/.test(said))
    return new CompactedError(`${what}: that revision has been compacted away`, 0n, options);
  if (/future revision/.test(said))
    return new FutureRevisionError(`${what}: that revision is not there yet`, options);
  if (/(user|role) name not found|role is not granted|permission is not granted/.test(said))
    return new NotFoundError(`${what}: ${said}`, options);
  if (/(user|role) name already exists|member ID already exist|Peer URLs already exists/.test(said))
    return new AlreadyExistsError(`${what}: ${said}`, options);
  if (error.status === 'not-found') return new NotFoundError(`${what}: ${said}`, options);
  if (error.status === 'already-exists') return new AlreadyExistsError(`${what}: ${said}`, options);
  if (error.status === 'unimplemented')
    return new UnsupportedError(`${what}: not supported by this store (${said})`, options);
  return new InvalidRequestError(`${what}: ${said}`, options);
}

/** The answer of a store that is over its quota: puts fail, deletes and keep-alives work. */
export function isSpaceExceeded(error: unknown): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e.message.includes(spaceExceeded)) return true;
  return false;
}

/** Set if the store does not let us in, whether it was the connection, the login or the request that was refused. */
function whyDenied({ status, neverSent }: TransportError, said: string): string | undefined {
  if (neverSent && /certificate|altname|self.signed|unable to verify|UNABLE_TO_/i.test(said)) {
    return `certificate not accepted (${said}); check tls.ca, tls.serverName, tls.cert and tls.key`;
  }
  if (/permission denied/.test(said)) return "permission denied; the user's roles do not cover this";
  if (/invalid user ID or password/.test(said)) return 'wrong user name or password';
  if (said.includes(noPasswordUser))
    return 'this user has no password: connect with its certificate alone, without username and password';
  if (/user name is empty/.test(said)) return 'the store wants a user name and password';
  const isTokenProblem = /invalid auth token|revision of auth store is old/.test(said);
  if (!isTokenProblem && (status === 'unauthenticated' || status === 'permission-denied')) return said;
  return undefined;
}
