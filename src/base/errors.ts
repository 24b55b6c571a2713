/**
 * One class per different reaction of a caller. `code` is a literal, facts are fields, the original error is `cause`.
 * Bad arguments are `TypeError` or `RangeError`, thrown before any I/O, and are not listed here.
 */
export type ErrorCode =
  | 'WAIT_TIMEOUT'
  | 'HOLD_LOST'
  | 'SESSION_LOST'
  | 'UNAVAILABLE'
  | 'OUTCOME_UNKNOWN'
  | 'COMPACTED'
  | 'AUTH'
  | 'RESOURCE_EXHAUSTED'
  | 'CONFLICT'
  | 'BROKEN_BARRIER'
  | 'ALREADY_HELD'
  | 'FENCED_OUT'
  | 'INVALID_VALUE'
  | 'UNSUPPORTED'
  | 'CLOSED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'INVALID_REQUEST'
  | 'FUTURE_REVISION';

const brand = Symbol.for('conclave.error');

export abstract class ConclaveError extends Error {
  abstract readonly code: ErrorCode;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    Object.defineProperty(this, brand, { value: true });
  }
}

/** True for errors of this library, also of another copy of it in the same process; with `code`, only for that kind. */
export function isConclaveError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is Extract<AnyConclaveError, { readonly code: Code }> {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false;
  return code === undefined || (error as { code?: unknown }).code === code;
}

/** The wait ended by its own `timeoutMs`. Nothing is held; a ticket left in the line is removed in the background. */
export class WaitTimeoutError extends ConclaveError {
  readonly code = 'WAIT_TIMEOUT';
  /** Milliseconds. */
  readonly waitedMs: number;

  constructor(message: string, waitedMs: number, options?: ErrorOptions) {
    super(message, options);
    this.waitedMs = waitedMs;
  }
}

/** Which hold an error is about. */
export interface HoldFacts {
  readonly key: string;
  readonly fencingToken: bigint;
}

/** The hold is lost, or may be: do no more work under it. `cause` says why. */
export class HoldLostError extends ConclaveError {
  readonly code = 'HOLD_LOST';
  readonly key: string;
  readonly fencingToken: bigint;

  constructor(message: string, hold: HoldFacts, options?: ErrorOptions) {
    super(message, options);
    this.key = hold.key;
    this.fencingToken = hold.fencingToken;
  }
}

/**
 * - `expired`: no renewal was answered in time
 * - `revoked`: the store removed the lease (an administrator, or a stalled leader)
 * - `stalled`: this process did not run past its deadline (event loop blocked, process stopped, machine suspended)
 * - `closed`: the program closed it
 */
export type SessionLostReason = 'expired' | 'revoked' | 'stalled' | 'closed';

/** The lease behind the call is gone; everything under it is lost. New calls open a new session. */
export class SessionLostError extends ConclaveError {
  readonly code = 'SESSION_LOST';
  readonly reason: SessionLostReason;

  constructor(message: string, reason: SessionLostReason, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The store could not be reached or did not serve the request. Surely not done: safe to try again. */
export class UnavailableError extends ConclaveError {
  readonly code = 'UNAVAILABLE';
}

/**
 * The request was sent and no answer came, or an answer that leaves it open. It may have been applied, and it may still
 * be applied at any later time. Re-send only what is a no-op when it runs twice.
 */
export class OutcomeUnknownError extends ConclaveError {
  readonly code = 'OUTCOME_UNKNOWN';
}

/** The revision asked for has been compacted away; read again from the present. */
export class CompactedError extends ConclaveError {
  readonly code = 'COMPACTED';
  /** The oldest revision still there; 0n when the server did not say. */
  readonly compactRevision: bigint;

  constructor(message: string, compactRevision: bigint, options?: ErrorOptions) {
    super(message, options);
    this.compactRevision = compactRevision;
  }
}

/** Wrong password, untrusted certificate, or missing permission; the message says which. */
export class AuthError extends ConclaveError {
  readonly code = 'AUTH';
}

/** For want of something: the store's space quota, the size of a message. */
export class ResourceExhaustedError extends ConclaveError {
  readonly code = 'RESOURCE_EXHAUSTED';
}

/** What is stored contradicts what the caller assumes. */
export class ConflictError extends ConclaveError {
  readonly code = 'CONFLICT';
}

/** Which party has broken a round, as far as that is known. */
export interface BreakingParty {
  /** The key of its ticket. */
  readonly key: string;
  /** Its holder, as given to `connect`. */
  readonly party: string;
}

/** A party of the round is gone without having left: it has crashed, was cut off, or has given up. The next round is clean. */
export class BrokenBarrierError extends ConclaveError {
  readonly code = 'BROKEN_BARRIER';
  readonly key: string;
  readonly party: string;

  constructor(message: string, { key, party }: BreakingParty, options?: ErrorOptions) {
    super(message, options);
    this.key = key;
    this.party = party;
  }
}

/**
 * The callback that asks holds it already: it would wait for itself. Nothing was sent. Hand the hold on to whoever needs
 * it, or name the lock `reentrant`.
 */
export class AlreadyHeldError extends ConclaveError {
  readonly code = 'ALREADY_HELD';
  readonly key: string;
  readonly fencingToken: bigint;

  constructor(message: string, hold: HoldFacts, options?: ErrorOptions) {
    super(message, options);
    this.key = hold.key;
    this.fencingToken = hold.fencingToken;
  }
}

/** A guarded transaction was refused: the hold it was guarded with is gone. Nothing was written. */
export class FencedOutError extends ConclaveError {
  readonly code = 'FENCED_OUT';
  readonly key: string;
  readonly fencingToken: bigint;

  constructor(message: string, hold: HoldFacts, options?: ErrorOptions) {
    super(message, options);
    this.key = hold.key;
    this.fencingToken = hold.fencingToken;
  }
}

/** One thing that is wrong with a value. */
export interface ValueIssue {
  readonly message: string;
  /** Where in the value; left out if that is the value itself. */
  readonly path?: readonly PropertyKey[];
}

/** Where a value stands in the store. */
export interface StoredAt {
  readonly key: string;
  /** Of its last change. */
  readonly revision: bigint;
}

/** A value is not what its schema asks for. Of a value to be written: nothing was. */
export class InvalidValueError extends ConclaveError {
  readonly code = 'INVALID_VALUE';
  readonly issues: readonly ValueIssue[];
  /** Where it was read; undefined of a value that was to be written. */
  readonly storedAt: StoredAt | undefined;

  constructor(
    message: string,
    issues: readonly ValueIssue[],
    { storedAt, ...options }: ErrorOptions & { readonly storedAt?: StoredAt } = {},
  ) {
    super(message, options);
    this.issues = issues;
    this.storedAt = storedAt;
  }
}

/** This store cannot do that (for example: cluster administration on the embedded engine). */
export class UnsupportedError extends ConclaveError {
  readonly code = 'UNSUPPORTED';
}

/** The object was closed by the program. */
export class ClosedError extends ConclaveError {
  readonly code = 'CLOSED';
}

/** The thing named does not exist: usually a lease that has expired or was revoked. Nothing was written. */
export class NotFoundError extends ConclaveError {
  readonly code = 'NOT_FOUND';
}

/** The thing to be created exists (for example: a lease id). */
export class AlreadyExistsError extends ConclaveError {
  readonly code = 'ALREADY_EXISTS';
}

/** The store refuses the request as malformed: too many operations, a key written twice. Surely not done. */
export class InvalidRequestError extends ConclaveError {
  readonly code = 'INVALID_REQUEST';
}

/** The revision asked for is newer than the member that answered has seen. */
export class FutureRevisionError extends ConclaveError {
  readonly code = 'FUTURE_REVISION';
}

/** Every error of the library, told apart by `code`. */
export type AnyConclaveError =
  | WaitTimeoutError
  | HoldLostError
  | SessionLostError
  | UnavailableError
  | OutcomeUnknownError
  | CompactedError
  | AuthError
  | ResourceExhaustedError
  | ConflictError
  | BrokenBarrierError
  | AlreadyHeldError
  | FencedOutError
  | InvalidValueError
  | UnsupportedError
  | ClosedError
  | NotFoundError
  | AlreadyExistsError
  | InvalidRequestError
  | FutureRevisionError;
