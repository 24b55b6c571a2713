// One worker: books payments, may be the foreman, too, and in the end sends receipts.
import { Booking } from './booking.js';
import { Foreman } from './foreman.js';
import { readPayments } from './payments.js';
import { Receipts } from './receipts.js';

export class Member {
  #booking;
  #foreman;
  #receipts;
  #begin = () => {};

  /** @param say is told what happens */
  constructor(conclave, { name, say }) {
    this.#booking = new Booking(conclave, { name, payments: readPayments(), say });
    this.#foreman = new Foreman(conclave, { name, say });
    this.#receipts = new Receipts(conclave, { name, say });
  }

  /** Resolves when the file is done and it was told to leave. */
  async run({ isFirst }) {
    const begun = new Promise((resolve) => (this.#begin = resolve));
    await Promise.all([
      this.#foreman.run({ isFirst }),
      begun.then(() => this.#booking.run()),
      this.#receipts.run(),
    ]);
  }

  /**
   * `begin` booking. `freeze`: the next time you have the lock, stop in the middle. `thaw`: go on as if nothing had
   * happened. `{ parties }`: meet the others, then send receipts. `hang`: with the next one in hand, do nothing any more.
   * `leave`: that was all.
   */
  order(word) {
    if (word === 'begin') this.#begin();
    else if (word === 'leave') this.#leave();
    else if (word === 'hang') this.#receipts.hang();
    else if (word.parties) this.#receipts.begin(word.parties);
    else this.#booking.order(word);
  }

  #leave() {
    this.#foreman.leave();
    this.#receipts.leave();
  }
}
