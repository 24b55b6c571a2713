import type { Bytes } from '../base/bytes.js';
import type { KeyValue } from '../store/results.js';
import type { Rule } from './rules.js';
import type { Session } from './session.js';
import { encodeTicket, type Wish } from './ticket-value.js';

/** What somebody wants of a line: what is written on the ticket, and when it may pass. */
export interface Demand {
  readonly rule: Rule;
  readonly ticketValue: (session: Session) => Bytes;
  /**
   * Whether to go to the end of the line now, in favour of somebody behind. Courtesy, never part of a rule: nobody may
   * rely on it.
   */
  readonly yields?: (line: Surroundings) => boolean;
}

/** What a ticket that waits sees of its line. */
export interface Surroundings {
  readonly older: readonly KeyValue[];
  readonly mine: KeyValue;
  readonly younger: readonly KeyValue[];
}

export function demand(rule: Rule, wish: Wish = {}): Demand {
  return {
    rule,
    ticketValue: ({ options: { holder, runtime } }) => encodeTicket(holder, runtime.wallNow(), wish),
  };
}
