import { Ticket } from './ticket.js';

/** Gives back what the ticket holds: true if it still had it. */
export type GiveBack = (ticket: Ticket) => Promise<boolean>;

/** A ticket that its line has let pass, until the last hold on it is given back. */
export class Admitted {
  readonly ticket: Ticket;
  /** How long the caller waited for it. */
  readonly waitedMs: number;
  readonly #giveBack: GiveBack;
  #holds = 0;
  /** The ticket that may be put in the place of this one right now. */
  #replacing: Promise<Ticket | undefined> = Promise.resolve(undefined);
  #isReplaced = false;

  constructor(ticket: Ticket, waitedMs: number, giveBack: GiveBack) {
    this.ticket = ticket;
    this.waitedMs = waitedMs;
    this.#giveBack = giveBack;
  }

  /** More than one hold stands on it. */
  get isShared(): boolean {
    return this.#holds > 1;
  }

  /** One more hold. */
  join(): void {
    this.#holds++;
  }

  /** One hold less: the last one gives the ticket back, or what has been put in its place meanwhile. */
  async leave(): Promise<boolean> {
    this.#holds--;
    if (this.#holds > 0 || this.#isReplaced) return true;
    return this.#giveBack((await this.#replacing) ?? this.ticket);
  }

  /**
   * Takes note of a transaction that may put another ticket in the place of this one. Unless `replacedBy` is called when
   * it has, that one is given back in the end.
   *
   * @returns `taking`
   */
  async replacing<T>(taking: Promise<Ticket | T>): Promise<Ticket | T> {
    this.#replacing = taking.then(
      (taken) => (taken instanceof Ticket ? taken : undefined),
      () => undefined,
    );
    return taking;
  }

  /** The same for another ticket, put in the place of this one by a transaction that removed this one. */
  replacedBy(ticket: Ticket): Admitted {
    this.#isReplaced = true;
    this.ticket.session.news.end(this.ticket.key);
    return new Admitted(ticket, 0, this.#giveBack);
  }
}
