// One worker: books payments, and may be the foreman, too.
import { Booking } from './booking.js';
import { Foreman } from './foreman.js';
import { readPayments } from './payments.js';

export class Member {
  #booking;
  #foreman;
  #begin = () => {};

  /** @param say is told what happens */
  constructor(conclave, { name, say }) {
    this.#booking = new Booking(conclave, { name, payments: readPayments(), say });
    this.#foreman = new Foreman(conclave, { name, say });
  }

  /** Resolves when the file is done and it was told to leave. */
  async run({ isFirst }) {
    const begun = new Promise((resolve) => (this.#begin = resolve));
    await Promise.all([this.#foreman.run({ isFirst }), begun.then(() => this.#booking.run())]);
  }

  /**
   * `begin` booking. `freeze`: the next time you have the lock, stop in the middle. `thaw`: go on as if nothing had
   * happened. `leave`: stand for election no more.
   */
  order(word) {
    if (word === 'begin') this.#begin();
    else if (word === 'leave') this.#foreman.leave();
    else this.#booking.order(word);
  }
}
