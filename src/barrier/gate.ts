import { AlreadyExistsError } from '../base/errors.js';
import { gateKey, type Place, placeText } from '../base/keys.js';
import { checkOptions, type Wait, type WaitOptions } from '../base/wait.js';
import { atOnce } from '../session/at-once.js';
import type { Connection } from '../session/connection.js';
import { Line } from '../session/line.js';
import { once, onceInAnySession, type OnceResult } from '../session/once.js';
import { describeTicket, encodeTicket } from '../session/ticket-value.js';
import { compare, get, type Op, put, remove } from '../store/operations.js';
import { isSpaceExceeded } from '../store/outcome.js';
import type { KeyValue, OpResult } from '../store/results.js';
import { untilAnswered } from './until-answered.js';
import { untilSeen } from './until-seen.js';

export interface CloseGateOptions {
  /**
   * The gate opens by itself when the session of this process ends, by a crash for example: nobody waits for ever for
   * somebody who is gone. By default it stays closed until somebody opens it. @default false
   */
  readonly whileAlive?: boolean;
}

/**
 * A gate for every process that uses the same name: while it is closed, all who come wait; once it is opened, all pass.
 * It is open until somebody closes it. Anybody may open it.
 *
 * Guarantees:
 * - Who waits passes if the gate was open at any revision of the store since the call, also if it has been closed again.
 * - A gate is closed by one: of two who close it at the same time, the other is told.
 * - An opening that arrives late opens no later closure.
 *
 * With `{ path }` the path is the key, as for Go's `recipes.Barrier`: both close, open and wait for the same gate, also with
 * clients of Go before 3.6, which wait for a put that is followed by a delete.
 *
 * Not guaranteed: that the gate is still open when somebody has passed. And with `whileAlive` it also opens if the
 * process only seems to be dead: it was cut off, or stood still for longer than its TTL.
 */
export class Gate {
  readonly #connection: Connection;
  readonly #key: string;
  readonly #isShared: boolean;
  readonly #line: Line;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or path */
  constructor(connection: Connection, place: Place) {
    this.#connection = connection;
    this.#key = gateKey(connection.namespace, place);
    this.#isShared = typeof place !== 'string';
    this.#line = new Line({ prefix: this.#key, isOneKey: true, title: `gate ${placeText(place)}` });
  }

  /**
   * Closes it. One round trip.
   *
   * @throws AlreadyExistsError if it is closed: whoever did that may open it at any time, so this caller cannot rely on it
   * @throws UnavailableError, SessionLostError: nothing was done; OutcomeUnknownError if it could not be found out in time
   * whether it was; AuthError
   */
  async close(options: CloseGateOptions = {}): Promise<void> {
    const what = `${this.#line.title}: close`;
    checkOptions(options, ['whileAlive'], what);
    const { whileAlive = false } = options;
    if (typeof whileAlive !== 'boolean') throw new TypeError(`${what}: whileAlive must be true or false`);
    const result = await atOnce(this.#connection, what, (wait) => this.#closeOnce(whileAlive, wait));
    if (!result.isDone) throw this.#isClosed(result.responses);
  }

  /**
   * Opens it, whoever has closed it; if it is open, nothing happens. Two round trips, three with `{ path }`.
   *
   * @throws UnavailableError, nothing was done; OutcomeUnknownError if it may have been; AuthError
   */
  async open(): Promise<void> {
    const what = `${this.#line.title}: open`;
    return atOnce(this.#connection, what, async (wait) => {
      const { kvs } = await this.#connection.store.get(this.#key, { signal: wait.signal });
      if (kvs[0]) await this.#openThe(kvs[0], wait);
    });
  }

  /**
   * Resolves when it is open. One read; if it is closed then, a watch, and nothing after that. Needs no session, and leaves
   * nothing behind. Goes on while the store is away.
   *
   * @throws WaitTimeoutError naming who has closed it; the signal's reason; ClosedError; AuthError; TypeError, RangeError for
   * bad options, before anything is sent
   */
  async wait(options: WaitOptions = {}): Promise<void> {
    let closure: KeyValue | undefined;
    await untilSeen(this.#connection, this.#line, options, ({ settings: [kv] }, wait) => {
      if (kv) wait.obstacle = `; closed by ${describeTicket(kv)}`;
      closure ??= kv;
      // Another closure than the one seen first: it has been open in between.
      return kv === undefined || kv.createRevision !== closure?.createRevision;
    });
  }

  async #closeOnce(whileAlive: boolean, wait: Wait): Promise<OnceResult> {
    const { holder, runtime } = this.#connection.options;
    const closing = (
      lease: bigint,
    ): { if: ReturnType<typeof compare.version>[]; then: Op[]; else: Op[] } => ({
      if: [compare.createRevision(this.#key, '=', 0n)],
      then: [put(this.#key, encodeTicket(holder, runtime.wallNow()), { lease })],
      else: [get(this.#key)],
    });
    if (!whileAlive) return onceInAnySession(this.#connection, closing(0n), wait.signal);
    const session = await wait.race(this.#connection.session());
    return once(session, closing(session.leaseId), wait.signal);
  }

  /** Each step names the closure that it opens: a copy that comes late finds it gone. */
  async #openThe({ createRevision }: KeyValue, wait: Wait): Promise<void> {
    const { store } = this.#connection;
    const isThis = compare.createRevision(this.#key, '=', createRevision);
    if (this.#isShared) {
      // Waiters of Go before 3.6 have to see a put, and then the delete.
      const touch = put(this.#key, '', { ignoreValue: true, ignoreLease: true });
      await untilAnswered(this.#connection, wait, (options) =>
        store.txn({ if: [isThis], then: [touch] }, options),
      ).catch((error: unknown) => {
        if (!isSpaceExceeded(error)) throw error;
      });
    }
    await untilAnswered(this.#connection, wait, (options) =>
      store.txn({ if: [isThis], then: [remove(this.#key)] }, options),
    );
  }

  #isClosed([read]: readonly OpResult[]): AlreadyExistsError {
    const by = read?.kind === 'get' && read.kvs[0] ? ` by ${describeTicket(read.kvs[0])}` : '';
    return new AlreadyExistsError(`${this.#line.title} (${this.#key}) is closed already${by}`);
  }
}
