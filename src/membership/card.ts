import type { Connection } from '../session/connection.js';
import type { Demand } from '../session/demand.js';
import { noOlderTicket } from '../session/rules.js';
import { encodeTicket } from '../session/ticket-value.js';

/** A change of a card: which one it is, in the order in which they were begun. */
export type Change = number;

/** What is to be written on each of a membership's tickets. */
export class Card {
  readonly #connection: Connection;
  readonly #since: number;
  #text: string;
  #begun: Change = 0;
  #last: Change = 0;

  constructor(connection: Connection, text: string) {
    this.#connection = connection;
    this.#since = connection.runtime.wallNow();
    this.#text = text;
  }

  /** To be the member of an id: the oldest that stands there is. */
  readonly demand: Demand = { rule: noOlderTicket, ticketValue: () => this.encode() };

  /** The change that shows. */
  get last(): Change {
    return this.#last;
  }

  begin(): Change {
    return ++this.#begun;
  }

  /** Shows unless one that was begun later does. */
  change(which: Change, text: string): void {
    if (which < this.#last) return;
    this.#last = which;
    this.#text = text;
  }

  encode(): string {
    return encodeTicket(this.#connection.options.holder, this.#since, { value: this.#text });
  }
}
