import { toText } from '../base/bytes.js';
import { isConclaveError, NotFoundError, UnsupportedError } from '../base/errors.js';
import { Wait, type WaitOptions } from '../base/wait.js';
import { prefix } from '../store/operations.js';
import type { Admitted } from '../session/admitted.js';
import { Hold } from '../session/hold.js';
import type { LineState } from '../session/line.js';
import { Rewriter } from '../session/rewrite.js';
import type { Spot } from '../session/ticket.js';
import { type Ballot, type Candidacy, checkValue, named } from './candidacy.js';

/** The hold of a leader. */
export class Leadership extends Hold {
  readonly #ballot: Ballot;
  readonly #rewriter: Rewriter;
  readonly #since: number;
  #wish: Candidacy;

  /** @internal */
  constructor(admitted: Admitted, ballot: Ballot, wish: Candidacy) {
    super(admitted);
    this.#ballot = ballot;
    this.#wish = wish;
    this.#rewriter = new Rewriter(admitted.ticket);
    const { key, taken } = this.#spot;
    const mine = taken.tickets.find((ticket) => toText(ticket.key) === key);
    // A new value does not change when it stood up.
    this.#since = (mine && ballot.sinceOf(mine)) ?? admitted.ticket.session.options.runtime.wallNow();
  }

  /** What it stands for, as last proclaimed here. */
  get value(): string {
    return this.#wish.value ?? '';
  }

  /**
   * Changes the value that observers see. One round trip; the token stays. Several are written in the order of the calls.
   *
   * @throws HoldLostError if the leadership is lost, or was; nothing can be written then
   * @throws ResourceExhaustedError if the store is over its quota: it may be written, or not; AuthError
   */
  async proclaim(value: string): Promise<void> {
    checkValue(value);
    this.assertHeld();
    await this.#write({ ...this.#wish, value });
  }

  /** Gives the leadership back; the next candidate leads without waiting for any TTL. As `release`. */
  async resign(): Promise<void> {
    await this.release();
  }

  /**
   * Hands the leadership over to a candidate that waits: the others are asked to let it pass, and once it is the next one
   * this leader resigns. Under `lead` it tells the callback to stop (`signal`) and resolves; it resigns when that has ended.
   *
   * A candidate before it that does not answer (a crashed one, or another program's) holds it up, until that one's lease
   * ends. If it does not come to pass in time, the leader simply stays.
   *
   * @param key of the candidate's ticket, as `candidates()` tells it
   * @throws NotFoundError if no such candidate waits, or it has left; WaitTimeoutError; the signal's reason: this leader stays
   * @throws HoldLostError; UnsupportedError for an election by `{ path }`
   */
  async transferTo(key: string, options: WaitOptions = {}): Promise<void> {
    const { session, title } = this.admitted.ticket;
    if (typeof key !== 'string' || key === this.key)
      throw new TypeError('expected the key of another candidate');
    if (this.#ballot !== named)
      throw new UnsupportedError(`${title} is shared by path: nobody would give way`);
    const wait = Wait.start(session.options.runtime, options, `${title}: transfer to ${key}`);
    try {
      this.assertHeld();
      wait.endsWith(this.signal);
      await this.#askToLetPass(key, wait);
    } finally {
      wait.end();
    }
    if (this.hasBody) this.tellToStop(new Error(`the leadership of ${title} is handed over to ${key}`));
    else await this.release();
  }

  /** Leaves no wish behind if it does not come to pass. */
  async #askToLetPass(key: string, wait: Wait): Promise<void> {
    try {
      await wait.race(this.#write({ ...this.#wish, transferTo: key }));
      await this.#untilNext(key, wait);
    } catch (error) {
      const { transferTo, ...wish } = this.#wish;
      // Another transfer may have been asked for since.
      if (transferTo === key) this.admitted.ticket.session.chore(this.#write(wish).catch(() => {}));
      throw error;
    }
  }

  async #untilNext(key: string, wait: Wait): Promise<void> {
    const { session, request } = this.admitted.ticket;
    const { line } = this.#spot;
    const { signal } = wait;
    const { header, kvs } = await session.store.get(prefix(line.prefix), { signal });
    const now = line.stateOf(header.revision, kvs);
    let place = -1;
    const look = ({ tickets }: LineState): boolean => {
      const keys = tickets.map((ticket) => toText(ticket.key));
      place = keys.indexOf(key);
      return place <= 1 || !keys.includes(this.key);
    };
    if (!look(now)) {
      if (wait.immediate) throw wait.timeout();
      await request.views.view(line).until(now, look, signal);
    }
    if (place < 0) throw new NotFoundError(`no candidate ${key} waits in ${line.title}`);
    if (place <= 1) return;
    // Nobody gives way for a leader that has gone.
    this.keyGone(this.key);
    this.assertStanding();
  }

  async #write(wish: Candidacy): Promise<void> {
    this.#wish = wish;
    try {
      await this.#rewriter.write(this.#ballot.write(this.admitted.ticket.session, wish, this.#since));
    } catch (error) {
      if (isConclaveError(error, 'HOLD_LOST')) this.keyGone(this.key);
      throw error;
    }
  }

  get #spot(): Spot {
    const [spot] = this.admitted.ticket.spots;
    if (!spot) throw new TypeError('a ticket without a line');
    return spot;
  }
}
