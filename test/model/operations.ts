import { isConclaveError } from '../../src/index.js';
import type { ErrorCode } from '../../src/base/errors.js';
import type { Actor } from './actor.js';
import type { Kind } from './kinds.js';
import type { LineJudge, Report } from './line-judge.js';
import type { Ticket, Want } from './want.js';

export type Doing =
  | 'acquire'
  | 'try'
  | 'release'
  | 'write'
  | 'downgrade'
  | 'upgrade'
  | 'proclaim'
  | 'transfer'
  | 'resize'
  | 'inspect';

/** A call of a client that has not been settled yet. */
export interface Operation {
  readonly doing: Doing;
  readonly actor: Actor;
  readonly want: Want;
  readonly timeoutMs: number | undefined;
  /** The hold it is about has been given back meanwhile, or exchanged. */
  readonly isMoot: () => boolean;
  readonly controller: AbortController;
  /** By the clock of its process. */
  readonly startedAt: number;
  readonly startRevision: bigint;
  /** How often its process had been stopped by then. */
  readonly stopsBefore: number;
}

/** What a caller has changed its mind with. */
export const cancelled: Error = new Error('the caller has changed its mind');

/** What faults may cost a caller; without them there is nothing. */
const costs: Readonly<Record<Doing, readonly ErrorCode[]>> = {
  acquire: ['SESSION_LOST', 'RESOURCE_EXHAUSTED'],
  try: ['SESSION_LOST', 'RESOURCE_EXHAUSTED', 'UNAVAILABLE'],
  release: ['HOLD_LOST'],
  write: ['FENCED_OUT', 'HOLD_LOST', 'OUTCOME_UNKNOWN', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'],
  downgrade: ['HOLD_LOST', 'SESSION_LOST', 'RESOURCE_EXHAUSTED'],
  upgrade: ['HOLD_LOST', 'SESSION_LOST', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'],
  proclaim: ['HOLD_LOST', 'SESSION_LOST', 'RESOURCE_EXHAUSTED'],
  transfer: ['HOLD_LOST', 'SESSION_LOST', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'],
  inspect: ['UNAVAILABLE'],
  resize: ['SESSION_LOST', 'OUTCOME_UNKNOWN', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'],
};

export interface OperationsParts {
  readonly kind: Kind;
  readonly judge: LineJudge;
  /** Whether a process believes to hold one of these: then it does not ask the store. */
  readonly believesToHold: (actor: Actor, names: readonly string[]) => boolean;
  readonly revision: () => bigint;
  readonly report: Report;
  /** Told how each has ended. */
  readonly see: (what: string) => void;
}

/** The calls under way, and the judge of how they end. */
export class Operations {
  readonly #parts: OperationsParts;
  readonly #pending = new Set<Operation>();
  /** No fault has happened yet. */
  isCalm = true;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
  }

  /** Of processes that live. */
  get pending(): readonly Operation[] {
    return [...this.#pending].filter(({ actor }) => actor.state !== 'crashed');
  }

  isPending(operation: Operation): boolean {
    return this.#pending.has(operation);
  }

  /** @param done what to do with the result; the history has been read by then */
  start<T>(
    what: Pick<Operation, 'doing' | 'actor' | 'want'> & Partial<Pick<Operation, 'timeoutMs' | 'isMoot'>>,
    call: (signal: AbortSignal) => Promise<T>,
    done: (result: T, operation: Operation) => void,
    failed: (error: unknown) => void = () => {},
  ): Operation {
    const { actor, timeoutMs } = what;
    const operation: Operation = {
      isMoot: () => false,
      ...what,
      timeoutMs,
      controller: new AbortController(),
      startedAt: actor.peer.runtime.now(),
      startRevision: this.#parts.revision(),
      stopsBefore: actor.stops,
    };
    this.#pending.add(operation);
    const end = (settle: () => void): void => {
      this.#pending.delete(operation);
      if (actor.state === 'crashed') return;
      this.#parts.judge.catchUp();
      settle();
    };
    call(operation.controller.signal).then(
      (result) =>
        end(() => {
          this.#parts.see(`${operation.doing}: ${result === undefined ? 'done' : 'granted'}`);
          done(result, operation);
        }),
      (error: unknown) =>
        end(() => {
          const how = error === cancelled ? 'cancelled' : isConclaveError(error) ? error.code : 'an error';
          this.#parts.see(`${operation.doing}: ${how}`);
          actor.givenUp++;
          failed(error);
          this.#judge(operation, error);
        }),
    );
    return operation;
  }

  /** The line was not free, at some moment of an attempt that has got nothing. */
  judgeRefusal({ actor, want, startRevision, stopsBefore, doing }: Operation): void {
    const { kind, judge, report, revision } = this.#parts;
    // Of this process: others who wait for it here, or what an earlier wait has left.
    const others = this.pending.filter((each) => each.actor === actor && each.want !== want);
    if (others.length > 0 || actor.givenUp > 0 || actor.stops > stopsBefore) return;
    if (this.#parts.believesToHold(actor, want.names)) return;
    const wasTaken = want.names.some((name) =>
      [...judge.history.during(name, startRevision, revision())].some((line) => {
        const mine = youngest(want, name);
        return !kind.rule.mayPass({ ...line, tickets: [...line.tickets, mine] }, mine);
      }),
    );
    if (!wasTaken) report(`${actor.name}: ${doing} of ${want.names.join(', ')} got nothing, and it was free`);
  }

  #judge(operation: Operation, error: unknown): void {
    const { actor, doing, controller } = operation;
    if (error === cancelled && controller.signal.aborted) return;
    if (isConclaveError(error, 'CLOSED') && actor.state === 'leaving') return;
    if (isConclaveError(error, 'WAIT_TIMEOUT') && operation.timeoutMs !== undefined)
      return this.#judgeTimeout(operation);
    if (isConclaveError(error, 'CONFLICT') && this.#neverFits(operation)) return;
    if (doing === 'transfer' && isConclaveError(error, 'NOT_FOUND')) return;
    const isAttempt = doing === 'acquire' && operation.timeoutMs === 0;
    const allowed = costs[isAttempt ? 'try' : doing];
    if (operation.isMoot() && (isConclaveError(error, 'HOLD_LOST') || isConclaveError(error, 'FENCED_OUT')))
      return;
    if (!this.isCalm && allowed.some((code) => isConclaveError(error, code))) return;
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.report(`${actor.name}: ${doing} of ${operation.want.names.join(', ')} rejected: ${what}`);
  }

  #judgeTimeout(operation: Operation): void {
    const { actor, doing, timeoutMs = Infinity, startedAt, stopsBefore } = operation;
    const waitedMs = actor.peer.runtime.now() - startedAt;
    if (timeoutMs === 0 && doing === 'acquire') return this.judgeRefusal(operation);
    // A clock's tick, at another rate.
    const isLate = actor.stops === stopsBefore && waitedMs > timeoutMs + 1;
    if (isLate || waitedMs < timeoutMs - 1)
      this.#parts.report(`${actor.name}: ${doing} timed out after ${waitedMs} ms instead of ${timeoutMs}`);
  }

  /** A semaphore says so when more is wanted than there will ever be, or when programs do not agree on the limit. */
  #neverFits({ want: { names, permits = 1, limit: named }, startRevision }: Operation): boolean {
    const { kind, judge, revision } = this.#parts;
    if (kind.name !== 'semaphore') return false;
    const lines = names.flatMap((name) => [...judge.history.during(name, startRevision, revision())]);
    return lines.some(
      ({ limit }) => limit === undefined || permits > limit || (named !== undefined && limit !== named),
    );
  }
}

/** The ticket that would have been put. */
function youngest({ mode = 'write', permits = Infinity }: Want, line: string): Ticket {
  const create = 1n << 62n;
  return { key: '~', line, name: '~', create, mod: create, lease: 0n, mode, permits, value: '' };
}
