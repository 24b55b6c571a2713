import { isConclaveError, SessionLostError } from '../index.js';

/** After sysexits.h where that has a word for it. Codes of the command that was run are passed on. */
export const exitStatus = {
  ok: 0,
  /** The conditions of a transaction did not hold. */
  refused: 1,
  /** Of `doctor`: it has found a problem. */
  ill: 1,
  usage: 64,
  /** Of a command that works on jobs: this one will never succeed. */
  badData: 65,
  missing: 66,
  unavailable: 69,
  internal: 70,
  cannotCreate: 73,
  notAcquired: 75,
  lost: 76,
  denied: 77,
  notExecutable: 126,
  notFound: 127,
  /** Plus the number of the signal. */
  signalled: 128,
} as const;

/** Ends the program with this status, and this line on stderr. */
export class Failure extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What an error means for whoever called the program. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const cause = { cause: error };
  if (!isConclaveError(error))
    return new Failure(exitStatus.internal, `unexpected: ${oneLine(error)}`, cause);
  const [status, advice] = reaction(error.code, error);
  const text = oneLine(error);
  const message = advice === '' ? text : `${text}${/[.?!]$/.test(text) ? '' : '.'} ${advice}`;
  return new Failure(status, message, cause);
}

function reaction(code: string, error: unknown): [status: number, advice: string] {
  switch (code) {
    case 'WAIT_TIMEOUT':
      return [exitStatus.notAcquired, ''];
    case 'HOLD_LOST':
    case 'FENCED_OUT':
      return [exitStatus.lost, ''];
    case 'SESSION_LOST':
      return error instanceof SessionLostError && error.reason === 'expired'
        ? [exitStatus.unavailable, 'The place in the line is lost; run it again']
        : [exitStatus.notAcquired, 'The place in the line is lost; run it again'];
    case 'UNAVAILABLE':
      return [exitStatus.unavailable, addressAdvice(error)];
    case 'OUTCOME_UNKNOWN':
    case 'RESOURCE_EXHAUSTED':
      return [exitStatus.unavailable, ''];
    case 'AUTH':
      return [exitStatus.denied, 'See --username, --password-file, --ca, --cert, --key and --namespace'];
    default:
      return [exitStatus.internal, ''];
  }
}

/** Not for an etcd that has answered: that it is full, for example. */
function addressAdvice(error: unknown): string {
  return oneLine(error).endsWith('Is etcd running there?')
    ? 'Name its address with --endpoints or CONCLAVE_ENDPOINTS'
    : '';
}

/** Of anything that was thrown. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
