import { isConclaveError } from '../base/errors.js';
import type { Admitted } from '../session/admitted.js';
import { Hold } from '../session/hold.js';
import { Rewriter } from '../session/rewrite.js';

/** A membership under one session: the hold on its id. */
export class Registration extends Hold {
  readonly #rewriter: Rewriter;

  constructor(admitted: Admitted) {
    super(admitted);
    this.#rewriter = new Rewriter(admitted.ticket);
  }

  /** Changes what is written on its ticket: place and token stay. @throws HoldLostError if it is lost, or was; AuthError */
  async write(text: string): Promise<void> {
    this.assertStanding();
    try {
      await this.#rewriter.write(text);
    } catch (error) {
      if (isConclaveError(error, 'HOLD_LOST')) this.keyGone(this.key);
      throw error;
    }
  }
}
