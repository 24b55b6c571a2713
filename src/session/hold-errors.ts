import { FencedOutError, type HoldFacts, OutcomeUnknownError } from '../base/errors.js';

/** Why a hold whose session is suspect cannot be relied on. */
export const suspicion =
  'the wall clock has jumped, the machine may have been suspended; a renewal will tell';

/** More can be said of a guarded write than of any: what becomes of it is settled when the ticket goes. */
export function unknownCommit(error: unknown, title: string): unknown {
  if (!(error instanceof OutcomeUnknownError)) return error;
  const text = `commit under the ${title}: sent, but not answered; it may be applied as long as the ticket stands, not after`;
  return new OutcomeUnknownError(text, { cause: error });
}

export function refusedCommit(title: string, hold: HoldFacts): FencedOutError {
  return new FencedOutError(`${title} has been lost: the store refused the write, nothing was written`, hold);
}
