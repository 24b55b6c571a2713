import { toBytes } from '../base/bytes.js';
import type { LineState } from '../session/line.js';
import { compare, put } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import type { BarrierKeys } from './barrier-keys.js';
import type { Matter, Motion } from './council.js';
import { contentOf, encodeOutcome, type Outcome, type Party } from './outcome-value.js';
import { isSame, type Standing, standingOf, type TicketFacts } from './standing.js';

export interface LeavingOptions {
  readonly keys: BarrierKeys;
  readonly round: bigint;
  /** All who have entered. */
  readonly parties: readonly Party[];
  /** Called with each state. */
  readonly onSeen: (standing: Standing) => void;
}

/**
 * How a round is left, as one of its parties sees it. Each of them is inside, or waits for the others: it goes from the one to
 * the other in one transaction. So if there are fewer than have entered, somebody is gone, whether or not anybody saw it go.
 */
export class Leaving implements Matter<Outcome | 'gone'> {
  motion: Motion | undefined;
  readonly #options: LeavingOptions;
  readonly #ticket: TicketFacts;
  #last: Standing | undefined;

  /** @param ticket one's own, of those who leave */
  constructor(options: LeavingOptions, ticket: { readonly key: string; readonly createRevision: bigint }) {
    this.#options = options;
    this.#ticket = { key: toBytes(ticket.key), createRevision: ticket.createRevision };
  }

  see(state: LineState): Outcome | 'gone' | undefined {
    const { keys, round, onSeen } = this.#options;
    const standing = standingOf(keys, state);
    this.#last = standing;
    onSeen(standing);
    const { tickets, outcome } = standing.leave(round);
    if (outcome) return outcome;
    if (!tickets.some((ticket) => isSame(ticket, this.#ticket))) return 'gone';
    this.motion ??= this.#due(standing);
    return undefined;
  }

  drop(): void {
    this.motion = this.#last && this.#due(this.#last);
  }

  #due(standing: Standing): Motion | undefined {
    const { keys, round, parties } = this.#options;
    const { tickets } = standing.leave(round);
    if (tickets.length >= parties.length) {
      return this.#motion(encodeOutcome({ kind: 'tripped', parties }), tickets.at(-1));
    }
    const inside = new Set(standing.inside().map(({ key }) => Buffer.from(key).toString()));
    const leaving = new Set(tickets.map((ticket) => contentOf(ticket)?.entered));
    const dead = parties.find(({ ticket }) => !inside.has(keys.in + ticket) && !leaving.has(ticket));
    return dead && this.#motion(encodeOutcome({ kind: 'broken', by: dead }), tickets[0]);
  }

  #motion(value: string, first: KeyValue | undefined): Motion {
    const out = this.#options.keys.leaveOut(this.#options.round);
    return {
      if: [compare.createRevision(out, '=', 0n)],
      then: put(out, value),
      isMine: first !== undefined && isSame(first, this.#ticket),
    };
  }
}
