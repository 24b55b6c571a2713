/**
 * Transactions of a session that are done once, whatever becomes of their answers, although others may overwrite what they
 * write: each also puts a receipt, which nobody else touches, under the session's lease. If an answer is lost, the fence
 * (see `Epoch`) kills every copy that has not arrived, and the receipt tells whether one has.
 */
export class Receipts {
  readonly #prefix: string;
  readonly #idle: number[] = [];
  #slots = 0;
  #operations = 0;

  /** @param keyPrefix where the receipts of the session stand */
  constructor(keyPrefix: string) {
    this.#prefix = keyPrefix;
  }

  /** A slot is used again once its last operation is settled: there are as many keys as operations at a time. */
  async with<T>(use: (receipt: Receipt) => Promise<T>): Promise<T> {
    const slot = this.#idle.pop() ?? ++this.#slots;
    try {
      return await use({ key: `${this.#prefix}${slot}`, value: String(++this.#operations) });
    } finally {
      this.#idle.push(slot);
    }
  }
}

export interface Receipt {
  readonly key: string;
  /** Never used again in this session. */
  readonly value: string;
}
