import { isConclaveError } from '../../../src/index.js';
import type { ErrorCode } from '../../../src/base/errors.js';
import type { Actor } from '../actor.js';
import { cancelled } from '../operations.js';

export type Doing =
  | 'enqueue'
  | 'receive'
  | 'ack'
  | 'retry'
  | 'fail'
  | 'release'
  | 'progress'
  | 'cancel'
  | 'waitFor'
  | 'pause'
  | 'resume'
  | 'deadLetters';

/** A call of a client, and when it was made: by the store, and among all calls and answers. */
export interface Call {
  readonly doing: Doing;
  readonly actor: Actor;
  readonly timeoutMs: number | undefined;
  readonly controller: AbortController;
  readonly from: bigint;
  readonly tick: number;
}

/** When it was answered. */
export interface Answered extends Call {
  readonly to: bigint;
  readonly endTick: number;
}

const changes = ['UNAVAILABLE', 'OUTCOME_UNKNOWN', 'RESOURCE_EXHAUSTED', 'SESSION_LOST'] as const;
const settles = ['HOLD_LOST', 'OUTCOME_UNKNOWN', 'RESOURCE_EXHAUSTED'] as const;

/** What faults may cost a caller; without them there is nothing. */
const costs: Readonly<Record<Doing, readonly ErrorCode[]>> = {
  enqueue: changes,
  receive: ['RESOURCE_EXHAUSTED'],
  ack: settles,
  retry: settles,
  fail: settles,
  release: settles,
  progress: [...settles, 'FENCED_OUT', 'SESSION_LOST', 'UNAVAILABLE'],
  cancel: changes,
  waitFor: ['NOT_FOUND'],
  pause: changes,
  resume: changes,
  deadLetters: changes,
};

export interface CallsParts {
  readonly revision: () => bigint;
  readonly report: (violation: string) => void;
  readonly see: (what: string) => void;
}

/** The calls under way. */
export class Calls {
  readonly #parts: CallsParts;
  readonly #pending = new Set<Call>();
  #tick = 0;
  /** No fault has happened yet. */
  isCalm = true;

  constructor(parts: CallsParts) {
    this.#parts = parts;
  }

  /** Of processes that live. */
  get pending(): readonly Call[] {
    return [...this.#pending].filter(({ actor }) => actor.state !== 'crashed');
  }

  start<T>(
    what: Pick<Call, 'doing' | 'actor'> & Partial<Pick<Call, 'timeoutMs'>>,
    call: (signal: AbortSignal) => Promise<T>,
    done: (result: T, call: Answered) => void,
    failed: (code: ErrorCode, call: Answered, error: Error) => void = () => {},
  ): void {
    const { revision, see } = this.#parts;
    const { actor, doing } = what;
    const started: Call = {
      timeoutMs: undefined,
      ...what,
      controller: new AbortController(),
      from: revision(),
      tick: this.#tick++,
    };
    this.#pending.add(started);
    const end = (settle: (call: Answered) => void): void => {
      this.#pending.delete(started);
      if (actor.state !== 'crashed') settle({ ...started, to: revision(), endTick: this.#tick++ });
    };
    call(started.controller.signal).then(
      (result) =>
        end((answered) => {
          see(`${doing}: done`);
          done(result, answered);
        }),
      (error: unknown) =>
        end((answered) => {
          see(
            `${doing}: ${isConclaveError(error) ? error.code : error === cancelled ? 'cancelled' : 'an error'}`,
          );
          if (isConclaveError(error)) failed(error.code, answered, error);
          this.#judge(answered, error);
        }),
    );
  }

  #judge({ doing, actor, timeoutMs, controller }: Call, error: unknown): void {
    if (error === cancelled && controller.signal.aborted) return;
    if (isConclaveError(error)) {
      const { code } = error;
      if (code === 'WAIT_TIMEOUT' && timeoutMs !== undefined) return;
      if (code === 'CLOSED' && actor.state === 'leaving') return;
      if (doing === 'waitFor' && code === 'NOT_FOUND') return;
      if (!this.isCalm && costs[doing].includes(code)) return;
    }
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.report(`${actor.name}: ${doing} rejected: ${what}`);
  }
}
