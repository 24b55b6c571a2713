// What every worker does: take the lock, book the next payment, give the lock back, until the file is done.
import { setTimeout as delay } from 'node:timers/promises';
import { isConclaveError, prefix, put, toText } from 'conclave';

export const ledgerKey = 'demo/ledger';
const bookedPrefix = 'demo/booked/';
const thinkingMs = 50;

/** The shared counter: how many payments have been booked, and their sum. */
export async function readLedger(store) {
  const { kvs } = await store.get(ledgerKey);
  return kvs[0] ? JSON.parse(toText(kvs[0].value)) : { booked: 0, cents: 0 };
}

/** Payment id -> who booked it, with which token. */
export async function readBookings(store) {
  const { kvs } = await store.get(prefix(bookedPrefix));
  return new Map(
    kvs.map(({ key, value }) => [toText(key).slice(bookedPrefix.length), JSON.parse(toText(value))]),
  );
}

/** One worker of the demo. Not re-usable; `run` resolves when the file is done. */
export class Booking {
  #conclave;
  #name;
  #payments;
  #say;
  #isToFreeze = false;
  #thaw = () => {};
  /** A payment whose transaction was sent and never answered. */
  #unsure;

  constructor(conclave, { name, payments, say }) {
    this.#conclave = conclave;
    this.#name = name;
    this.#payments = payments;
    this.#say = say;
  }

  /** `freeze`: the next time you have the lock, stop in the middle. `thaw`: go on as if nothing had happened. */
  order(word) {
    if (word === 'freeze') this.#isToFreeze = true;
    else this.#thaw();
  }

  async run() {
    while (!(await this.#round().catch((error) => this.#explain(error))));
  }

  /** @returns whether the file is done */
  async #round() {
    const hold = await this.#conclave.mutex('ledger').acquire();
    try {
      if (this.#unsure) await this.#settle();
      const { store } = this.#conclave;
      const ledger = await readLedger(store);
      const payment = this.#payments[ledger.booked];
      if (!payment) return true;
      const booking = { ...payment, token: String(hold.fencingToken) };
      this.#say({ what: 'holds', token: booking.token, key: hold.key });
      const writes = [
        put(ledgerKey, JSON.stringify({ booked: ledger.booked + 1, cents: ledger.cents + payment.cents })),
        put(bookedPrefix + payment.id, JSON.stringify({ by: this.#name, token: booking.token })),
      ];
      if (this.#isToFreeze) await this.#freeze(hold, writes, booking);
      else await this.#write(hold, writes, booking);
      return false;
    } finally {
      await hold[Symbol.asyncDispose]();
    }
  }

  /** How it is done: the writes and the proof that the lock is still held, in one transaction. */
  async #write(hold, writes, booking) {
    await delay(thinkingMs);
    try {
      await hold.commit(writes);
    } catch (error) {
      if (isConclaveError(error, 'OUTCOME_UNKNOWN')) this.#unsure = booking;
      throw error;
    }
    this.#say({ what: 'booked', ...booking });
  }

  /** What a pause at the worst moment comes to: a write that is sent without a look whether the lock is still held. */
  async #freeze(hold, writes, booking) {
    this.#isToFreeze = false;
    const guard = hold.guard();
    const thawed = new Promise((resolve) => (this.#thaw = resolve));
    this.#say({ what: 'freezes', ...booking, key: hold.key });
    await thawed;
    const { succeeded } = await this.#conclave.store.txn({ if: guard, then: writes });
    this.#say({ what: succeeded ? 'booked' : 'refused', ...booking, isHeld: hold.isHeld() });
  }

  /** The ticket it was guarded with is gone: if it has not been applied by now, it never will be. */
  async #settle() {
    const found = (await readBookings(this.#conclave.store)).get(this.#unsure.id);
    if (found?.token === this.#unsure.token) this.#say({ what: 'booked', ...this.#unsure });
    this.#unsure = undefined;
  }

  #explain(error) {
    if (!isConclaveError(error)) throw error;
    this.#say({ what: 'failed', message: error.message });
    return false;
  }
}
