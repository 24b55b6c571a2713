import { isConclaveError } from '../base/errors.js';

/**
 * Transactions of a session that are done once, whatever becomes of their answers, although others may overwrite what they
 * write: each also puts a receipt, which nobody else touches, under the session's lease. If an answer is lost, the fence
 * (see `Epoch`) kills every copy that has not arrived, and the receipt tells whether one has. A copy that comes before the
 * fence, when somebody has undone what the first one did, finds the receipt changed.
 */
export class Receipts {
  readonly #prefix: string;
  readonly #idle: Slot[] = [];
  #slots = 0;
  #operations = 0;

  /** @param keyPrefix where the receipts of the session stand */
  constructor(keyPrefix: string) {
    this.#prefix = keyPrefix;
  }

  /** A slot is used again once its last operation is settled: there are as many keys as operations at a time. */
  async with<R extends Settled>(use: (receipt: Receipt) => Promise<R>): Promise<R> {
    const slot = this.#idle.pop() ?? { key: `${this.#prefix}${++this.#slots}`, modRevision: 0n };
    try {
      const result = await use({ ...slot, value: String(++this.#operations) });
      this.#idle.push(result.isDone ? { ...slot, modRevision: result.revision } : slot);
      return result;
    } catch (error) {
      // A copy of one that is not settled may still come, and would overwrite the receipt of whoever has the slot then.
      if (!isConclaveError(error, 'OUTCOME_UNKNOWN')) this.#idle.push(slot);
      throw error;
    }
  }
}

interface Slot {
  readonly key: string;
  /** Of the key, as long as nothing has been done since; 0n before the first. */
  readonly modRevision: bigint;
}

interface Settled {
  readonly isDone: boolean;
  readonly revision: bigint;
}

export interface Receipt extends Slot {
  /** Never used again in this session. */
  readonly value: string;
}
