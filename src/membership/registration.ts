import { Mutex } from 'async-mutex';
import { toText } from '../base/bytes.js';
import { isConclaveError } from '../base/errors.js';
import type { Admitted } from '../session/admitted.js';
import { Hold } from '../session/hold.js';
import { Rewriter } from '../session/rewrite.js';
import type { Card, Change } from './card.js';

/** A membership under one session: the hold on its id. */
export class Registration extends Hold {
  readonly #card: Card;
  readonly #rewriter: Rewriter;
  readonly #oneByOne = new Mutex();
  /** The last change that its ticket shows. */
  #shown: Change;

  constructor(admitted: Admitted, card: Card) {
    super(admitted);
    this.#card = card;
    this.#rewriter = new Rewriter(admitted.ticket);
    this.#shown = writtenOn(admitted) === card.encode() ? card.last : -1;
  }

  /**
   * Writes on its ticket what its card shows, unless that has this change already: place and token stay. Many changes at
   * once are one write.
   *
   * @throws HoldLostError if it is lost, or was; AuthError
   */
  async write(change: Change): Promise<void> {
    await this.#oneByOne.runExclusive(async () => {
      this.assertStanding();
      if (change <= this.#shown) return;
      const { last } = this.#card;
      try {
        await this.#rewriter.write(this.#card.encode());
      } catch (error) {
        if (isConclaveError(error, 'HOLD_LOST')) this.keyGone(this.key);
        throw error;
      }
      this.#shown = last;
    });
  }
}

function writtenOn({ ticket: { key, spots } }: Admitted): string | undefined {
  const tickets = spots[0]?.taken.tickets ?? [];
  const mine = tickets.find((each) => toText(each.key) === key);
  return mine && toText(mine.value);
}
