// When the books are closed: all workers meet, and then send receipts, which are jobs of a queue.
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { inEuros } from './payments.js';

const meetingName = 'the books are closed';
const sendingMs = 10;
export const receiptCount = 200;

export function receiptQueue(conclave) {
  return conclave.queue('receipts');
}

/** Five for each payment: for the customer, the archive, the tax office... The ids make it safe to repeat. */
export async function orderReceipts(conclave, payments) {
  const kinds = ['customer', 'archive', 'tax office', 'bank', 'warehouse'];
  const jobs = payments.flatMap(({ id, cents }) =>
    kinds.map((kind) => ({ id: `${id}/${kind}`, value: { kind, of: id, cents } })),
  );
  return receiptQueue(conclave).enqueueAll(jobs);
}

/** How each receipt has ended, as the queue remembers. */
export async function readReceipts(conclave, ids) {
  const queue = receiptQueue(conclave);
  return Promise.all(ids.map((id) => queue.waitFor(id)));
}

/** What one worker does. Not re-usable. */
export class Receipts {
  #conclave;
  #name;
  #say;
  #begin = () => {};
  #begun = new Promise((resolve) => (this.#begin = resolve));
  #end = new AbortController();
  #isToHang = false;

  constructor(conclave, { name, say }) {
    this.#conclave = conclave;
    this.#name = name;
    this.#say = say;
  }

  /** @param parties how many workers there are */
  begin(parties) {
    this.#begin(parties);
  }

  /** With the next receipt in hand, do nothing any more. */
  hang() {
    this.#isToHang = true;
  }

  leave() {
    this.#begin(0);
    this.#end.abort();
  }

  /** Resolves after `leave`. */
  async run() {
    const parties = await this.#begun;
    if (parties === 0) return;
    const { signal } = this.#end;
    const { round, index } = await this.#conclave.cyclicBarrier(meetingName, { parties }).wait();
    this.#say({ what: 'meets', round: String(round), index, parties });
    await receiptQueue(this.#conclave).work((delivery) => this.#send(delivery), {
      concurrency: 3,
      signal,
      onError: (error) => this.#say({ what: 'failed', message: error.message }),
    });
  }

  /** @returns what the queue is to remember */
  async #send({ id, value, attempt, key, fencingToken, signal }) {
    const token = String(fencingToken);
    if (this.#isToHang) {
      this.#say({ what: 'hangs', id, key, token });
      if (!signal.aborted) await once(signal, 'abort');
      throw signal.reason;
    }
    await delay(sendingMs);
    this.#say({ what: 'sends', id, attempt, token, text: `${value.kind}: ${inEuros(value.cents)}` });
    return { by: this.#name, attempt, token };
  }
}
