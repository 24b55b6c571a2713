import { Mutex } from 'async-mutex';
import { type Bytes, equalBytes, toBytes } from '../base/bytes.js';
import { HoldLostError, isConclaveError, ResourceExhaustedError } from '../base/errors.js';
import { compare, get, put } from '../store/operations.js';
import { isSpaceExceeded } from '../store/outcome.js';
import { retry } from '../store/retry.js';
import type { Ticket } from './ticket.js';

/**
 * Writes on a ticket that stands: its place and its token stay.
 *
 * Each write compares the mod revision it replaces, so a late copy of one does nothing once a later one was done; they
 * are sent one after the other. The lease is named each time: a put without it would make the ticket immortal.
 */
export class Rewriter {
  readonly #ticket: Ticket;
  readonly #oneByOne = new Mutex();
  #modRevision: bigint;

  constructor(ticket: Ticket) {
    this.#ticket = ticket;
    this.#modRevision = ticket.createRevision;
  }

  /**
   * Tries until it is answered or the session is over.
   *
   * @returns the revision of the write
   * @throws HoldLostError if the ticket is gone, or its session is over; AuthError; ResourceExhaustedError if the store is
   * over its quota: it may be written then, or not
   */
  async write(value: Bytes): Promise<bigint> {
    return this.#oneByOne.runExclusive(async () => {
      const { session } = this.#ticket;
      const writing = retry(session.options.runtime, () => this.#writeOnce(value), {
        signal: session.signal,
        maxDelayMs: 500,
        again: (error) => {
          if (error === tryAgain) return true;
          if (isSpaceExceeded(error)) throw new ResourceExhaustedError(fullText, { cause: error });
          if (!isConclaveError(error, 'OUTCOME_UNKNOWN') && !isConclaveError(error, 'UNAVAILABLE'))
            return false;
          session.assertAlive();
          return true;
        },
      });
      return writing.catch((error: unknown) => {
        throw isConclaveError(error, 'SESSION_LOST') ? this.#gone(error) : error;
      });
    });
  }

  async #writeOnce(value: Bytes): Promise<bigint> {
    const { session, key, createRevision } = this.#ticket;
    session.assertAlive();
    const answer = await session.store.txn(
      {
        if: [compare.modRevision(key, '=', this.#modRevision)],
        then: [put(key, value, { lease: session.leaseId })],
        else: [get(key)],
      },
      { timeoutMs: session.requestTimeoutMs, signal: session.signal },
    );
    session.options.runtime.probe('ticket.rewritten');
    if (answer.succeeded) return this.#standsAt(answer.header.revision);
    const [kv] = answer.responses[0].kvs;
    if (kv?.createRevision !== createRevision) throw this.#gone();
    // Nobody else writes here: one of our own copies has arrived. That of an earlier call must be overwritten.
    this.#standsAt(kv.modRevision);
    if (equalBytes(kv.value, toBytes(value))) return kv.modRevision;
    throw tryAgain;
  }

  #standsAt(modRevision: bigint): bigint {
    this.#modRevision = modRevision;
    return modRevision;
  }

  #gone(cause?: Error): HoldLostError {
    const { title, key, createRevision } = this.#ticket;
    const facts = { key, fencingToken: createRevision };
    const why = cause ? `: ${cause.message}` : '';
    return new HoldLostError(`the ticket of ${title} (${key}) is gone${why}`, facts, { cause });
  }
}

const fullText = 'the store is over its space quota: what was to be written may be there, or not';

/** Thrown to try again at once. */
const tryAgain = new Error('try again');
