import { isConclaveError } from '../base/errors.js';

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
      const result = await use({ key: `${this.#prefix}${slot}`, value: String(++this.#operations) });
      this.#idle.push(slot);
      return result;
    } catch (error) {
      // A copy of one that is not settled may still come, and would overwrite the receipt of whoever has the slot then.
      if (!isConclaveError(error, 'OUTCOME_UNKNOWN')) this.#idle.push(slot);
      throw error;
    }
  }
}

export interface Receipt {
  readonly key: string;
  /** Never used again in this session. */
  readonly value: string;
}
