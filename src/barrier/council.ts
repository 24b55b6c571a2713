import { isConclaveError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import { withOwnSignal } from '../base/wait.js';
import type { Compare, Op, PutOp } from '../store/operations.js';
import type { Line, LineState } from '../session/line.js';
import { kvsOf, type Ticket } from '../session/ticket.js';

/** What should be decided, by what somebody has seen. */
export interface Motion {
  /** True as long as what was seen allows it. */
  readonly if: readonly Compare[];
  readonly then: PutOp;
  /** It is for this party to propose it; the others do should nothing come of that. */
  readonly isMine: boolean;
}

/** What several parties decide together: each sees when it has to be, and the first who writes it down has. */
export interface Matter<F> {
  readonly motion: Motion | undefined;
  /** Takes note of a later state. @returns how it was decided; undefined as long as it is not */
  see(state: LineState): F | undefined;
  /** That what was seen allows the present motion no more. */
  drop(): void;
}

/** How long the others leave it to the one whose motion it is, before they propose it themselves; drawn by each from twice that. */
const courtesyMs = 100;
const maxDelayMs = 500;

/**
 * Waits until a matter is decided, and proposes what is seen to be due.
 *
 * A proposal compares the proposer's own ticket, so a copy of it that comes late is dead once that is gone; and as long as it
 * stands, the other conditions say whether it is still right. So it may be sent again and again.
 *
 * @param base the line as an answer has just shown it
 * @throws the signal's reason; AuthError
 */
export async function untilDecided<F>(
  ticket: Ticket,
  matter: Matter<F>,
  base: LineState,
  options: DecisionOptions,
): Promise<F> {
  return new Council(ticket, matter).decided(base, options);
}

export interface DecisionOptions {
  readonly signal: AbortSignal;
  /** Given if there is to be no waiting: what to reject with then. @default waits */
  readonly whyNotWait?: () => Error;
}

class Council<F> {
  readonly #ticket: Ticket;
  readonly #matter: Matter<F>;
  #revision = 0n;
  #fate: { readonly is: F } | undefined;
  #isProposing = false;

  constructor(ticket: Ticket, matter: Matter<F>) {
    this.#ticket = ticket;
    this.#matter = matter;
  }

  async decided(base: LineState, { signal, whyNotWait }: DecisionOptions): Promise<F> {
    const { request, session } = this.#ticket;
    const { runtime } = session.options;
    return withOwnSignal(signal, async (over) => {
      if (this.#look(base)) return this.#outcome();
      // The last one to come needs no watch.
      if (this.#matter.motion?.isMine && (await this.#tryProposing(over))) return this.#outcome();
      if (whyNotWait) throw whyNotWait();
      runtime.probe('barrier.waiting');
      const view = request.views.view(this.#line);
      await new Promise<void>((resolve, reject) => {
        const proposeIfDue = (): void => {
          if (!this.#matter.motion || this.#isProposing) return;
          this.#propose(over).then((isDecided) => isDecided && resolve(), reject);
        };
        const look = (state: LineState): boolean => {
          if (this.#look(state)) return true;
          proposeIfDue();
          return false;
        };
        proposeIfDue();
        view.until(base, look, over).then(resolve, reject);
      });
      return this.#outcome();
    });
  }

  get #line(): Line {
    const [spot] = this.#ticket.spots;
    if (!spot) throw new TypeError('a ticket that stands nowhere');
    return spot.line;
  }

  #outcome(): F {
    if (!this.#fate) throw new TypeError('not decided');
    return this.#fate.is;
  }

  /** @returns whether it is decided */
  #look(state: LineState): boolean {
    if (this.#fate) return true;
    // A view from before this ticket says nothing about it, and answers may overtake events.
    if (state.revision < this.#ticket.createRevision || state.revision <= this.#revision) return false;
    this.#revision = state.revision;
    const is = this.#matter.see(state);
    if (is !== undefined) this.#fate = { is };
    return this.#fate !== undefined;
  }

  /** Until it is decided, or nothing is left to propose. @returns whether it is decided */
  async #propose(over: AbortSignal): Promise<boolean> {
    const { runtime } = this.#ticket.session.options;
    this.#isProposing = true;
    try {
      for (let failures = 0; this.#matter.motion && !this.#fate;) {
        if (!this.#matter.motion.isMine) {
          await sleep(runtime, courtesyMs * (1 + runtime.random()), { signal: over });
          if (this.#isSettled()) break;
        }
        if (await this.#tryProposing(over)) break;
        // Refused, or without an answer.
        const ceilingMs = Math.min(maxDelayMs, 20 * 2 ** failures++);
        await sleep(runtime, runtime.random() * ceilingMs, { signal: over });
      }
    } finally {
      this.#isProposing = false;
    }
    return this.#fate !== undefined;
  }

  /** Somebody else was quicker, or it is not due any more. */
  #isSettled(): boolean {
    return this.#fate !== undefined || !this.#matter.motion;
  }

  /** @returns whether it is decided now */
  async #tryProposing(over: AbortSignal): Promise<boolean> {
    const { motion } = this.#matter;
    const { session } = this.#ticket;
    if (!motion) return false;
    over.throwIfAborted();
    session.assertAlive();
    session.options.runtime.probe('barrier.propose');
    const reads: readonly Op[] = this.#line.reads();
    try {
      const { header, responses, succeeded } = await session.store.txn(
        { if: [...this.#ticket.guards(), ...motion.if], then: [motion.then, ...reads], else: reads },
        { timeoutMs: session.requestTimeoutMs, signal: over },
      );
      session.options.runtime.probe('barrier.proposed');
      const kvs = kvsOf(responses.slice(succeeded ? 1 : 0));
      if (this.#matter.motion === motion) this.#matter.drop();
      return this.#look(this.#line.stateOf(header.revision, kvs));
    } catch (error) {
      over.throwIfAborted();
      if (isConclaveError(error, 'UNAVAILABLE') || isConclaveError(error, 'OUTCOME_UNKNOWN')) return false;
      throw error;
    }
  }
}
