import { isConclaveError, NotFoundError } from '../base/errors.js';
import { retry } from '../store/retry.js';
import type { Runtime } from '../base/runtime.js';
import { raceSignal } from '../base/wait.js';
import { compare, type Compare, type GetOp, put } from '../store/operations.js';
import type { GetResult, KeyValue } from '../store/results.js';
import type { Store } from '../store/store.js';
import type { Origin } from './open-lease.js';

/** What the store showed at one revision. */
export interface Look {
  readonly revision: bigint;
  readonly results: readonly GetResult[];
}

interface Question {
  readonly ops: readonly GetOp[];
  readonly answer: (look: Look) => void;
}

/** Reads one transaction can carry besides the put: the server's limit is 128 operations. */
const readsPerBump = 127;

/**
 * Settles requests whose answer was lost.
 *
 * Such a request may be applied at any later time. So every request that creates something compares the mod revision of
 * the session's own key (the epoch), and to settle one that key is put again ("fence, then look"): every copy sent
 * before is then dead for ever, and what the same transaction reads is the final truth about it.
 */
export class Epoch {
  readonly #store: Store;
  readonly #runtime: Runtime;
  readonly #key: string;
  readonly #leaseId: bigint;
  readonly #createRevision: bigint;
  readonly #ended: AbortSignal;
  readonly #requestTimeoutMs: number;
  readonly #onGone: () => void;
  #modRevision: bigint;
  #questions: Question[] = [];
  #bumping = false;

  /** @param onGone called when the session key turns out to be gone */
  constructor(
    store: Store,
    runtime: Runtime,
    { key, leaseId, kv, requestTimeoutMs, ended, onGone }: EpochOptions,
  ) {
    this.#store = store;
    this.#runtime = runtime;
    this.#key = key;
    this.#leaseId = leaseId;
    this.#createRevision = kv.createRevision;
    this.#modRevision = kv.modRevision;
    this.#ended = ended;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#onGone = onGone;
  }

  /** The latest known revision at which the session's key was put: it was there then. */
  get revision(): bigint {
    return this.#modRevision;
  }

  /** Part of every transaction that creates or overwrites something: kills it once the epoch has moved on. */
  guard(): Compare {
    return compare.modRevision(this.#key, '=', this.#modRevision);
  }

  /** Takes note of the session key as an answer has shown it. @returns false if the session is over */
  learn(kv: KeyValue | undefined): boolean {
    if (kv?.createRevision !== this.#createRevision) {
      this.#onGone();
      return false;
    }
    if (kv.modRevision > this.#modRevision) this.#modRevision = kv.modRevision;
    return true;
  }

  /**
   * Proves that no request sent before this call will be applied after the revision returned, and shows `ops` at it.
   * Tries until it is answered. One transaction settles all that ask while another is under way.
   *
   * @throws SessionLostError when the session ends first; then nothing leased can be applied any more
   */
  async fenceThenLook(ops: readonly GetOp[]): Promise<Look> {
    const answered = new Promise<Look>((resolve) => this.#questions.push({ ops, answer: resolve }));
    if (!this.#bumping) void this.#answerAll();
    return raceSignal(answered, this.#ended);
  }

  async #answerAll(): Promise<void> {
    this.#bumping = true;
    while (this.#questions.length > 0 && !this.#ended.aborted) {
      // Rejects only when the session has ended, which everyone who asks is told by `#ended`, or the store is closed.
      await this.#bump(this.#nextQuestions()).catch(() => {});
    }
    this.#bumping = false;
  }

  /** As many as one transaction can carry; one at least. */
  #nextQuestions(): readonly Question[] {
    let reads = 0;
    const tooMany = this.#questions.findIndex(({ ops }) => (reads += ops.length) > readsPerBump);
    return this.#questions.splice(0, tooMany < 0 ? this.#questions.length : Math.max(1, tooMany));
  }

  async #bump(questions: readonly Question[]): Promise<void> {
    const reads = questions.flatMap(({ ops }) => ops);
    const answer = await retry(
      this.#runtime,
      () =>
        this.#store.txn(
          {
            if: [compare.createRevision(this.#key, '=', this.#createRevision)],
            then: [put(this.#key, '', { ignoreValue: true, lease: this.#leaseId }), ...reads],
          },
          { timeoutMs: this.#requestTimeoutMs },
        ),
      {
        signal: this.#ended,
        maxDelayMs: 500,
        // Whatever it is, a withdrawn permission for example: without the proof the line would be blocked for good.
        again: (error) => {
          if (error instanceof NotFoundError) this.#onGone();
          return !this.#ended.aborted && !isConclaveError(error, 'CLOSED');
        },
      },
    );
    if (!answer.succeeded) {
      this.#onGone();
      return;
    }
    const { revision } = answer.header;
    if (revision > this.#modRevision) this.#modRevision = revision;
    const results = answer.responses.slice(1) as readonly GetResult[];
    let next = 0;
    for (const { ops, answer: reply } of questions) {
      reply({ revision, results: results.slice(next, (next += ops.length)) });
    }
  }
}

export interface EpochOptions {
  readonly key: string;
  readonly leaseId: bigint;
  /** The session key as created. */
  readonly kv: Origin;
  /** How long a bump may stay unanswered before it is sent again. */
  readonly requestTimeoutMs: number;
  /** Aborts when the session is over. */
  readonly ended: AbortSignal;
  readonly onGone: () => void;
}
