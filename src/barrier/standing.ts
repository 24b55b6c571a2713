import { toText } from '../base/bytes.js';
import { ticketNameIn } from '../base/keys.js';
import { inOrder, type LineState } from '../session/line.js';
import type { KeyValue } from '../store/results.js';
import type { BarrierKeys } from './barrier-keys.js';
import { contentOf, type Outcome, readOutcome } from './outcome-value.js';

/** An outcome, the create revision of the last ticket that it is about, and when it was written. */
export type Decision = Outcome & { readonly upTo: bigint; readonly at: bigint };

/** How a round is being left. */
export interface Leave {
  /** Of those who wait for the others, oldest first. */
  readonly tickets: readonly KeyValue[];
  readonly outcome: Outcome | undefined;
}

/** What of a ticket tells what becomes of it. */
export type TicketFacts = Pick<KeyValue, 'key' | 'createRevision'>;

const noLeave: Leave = { tickets: [], outcome: undefined };

/** A barrier as it was at one revision. */
export class Standing {
  readonly revision: bigint;
  /** All who have come and not gone, oldest first. */
  readonly tickets: readonly KeyValue[];
  /** Oldest first. */
  readonly decisions: readonly Decision[];
  /** The last who went before its round was decided. */
  readonly left: KeyValue | undefined;
  readonly leaves: ReadonlyMap<bigint, Leave>;
  // Asked for again and again, by each who waits.
  readonly #rounds = new Map<number, readonly KeyValue[]>();
  #inside: readonly KeyValue[] | undefined;

  constructor(keys: BarrierKeys, { revision, tickets, settings }: LineState) {
    this.revision = revision;
    const inside: KeyValue[] = [];
    const decisions: Decision[] = [];
    const leaves = new Map<bigint, { tickets: KeyValue[]; outcome: Outcome | undefined }>();
    // What of it are tickets depends on who asks: those of whoever enters, or of whoever leaves.
    for (const kv of [...tickets, ...settings]) {
      const key = keys.read(toText(kv.key));
      if (key?.kind === 'in') inside.push(kv);
      if (key?.kind === 'left') this.left = kv;
      if (key?.kind === 'out') {
        decisions.push({ ...readOutcome(kv), upTo: key.round, at: kv.createRevision });
      }
      if (key?.kind !== 'leaving' && key?.kind !== 'leave-out') continue;
      const leave = leaves.get(key.round) ?? { tickets: [], outcome: undefined };
      leaves.set(key.round, leave);
      if (key.kind === 'leaving') leave.tickets.push(kv);
      else leave.outcome = readOutcome(kv);
    }
    this.tickets = inside.sort(inOrder);
    this.decisions = decisions.sort((a, b) => (a.upTo < b.upTo ? -1 : 1));
    for (const { tickets: leaving } of leaves.values()) leaving.sort(inOrder);
    this.leaves = leaves;
  }

  /** The youngest ticket that has been decided about has this create revision, or a smaller one. */
  get decidedUpTo(): bigint {
    return this.decisions.at(-1)?.upTo ?? 0n;
  }

  /** The tickets of the present round, oldest first: those that nothing has been decided about. */
  undecided(): readonly KeyValue[] {
    return this.tickets.filter(({ createRevision }) => createRevision > this.decidedUpTo);
  }

  /** Those of them that want the same as others who want so many. More than these may have come. */
  round(parties: number): readonly KeyValue[] {
    const known = this.#rounds.get(parties);
    if (known) return known;
    const round = this.undecided().filter((ticket) => contentOf(ticket)?.parties === parties);
    this.#rounds.set(parties, round);
    return round;
  }

  /** What has become of a ticket: the first decision about it counts. */
  decisionOn({ createRevision }: TicketFacts): Decision | undefined {
    return this.decisions.find(({ upTo }) => upTo >= createRevision);
  }

  /** Those whose round has tripped, and who have not begun to leave. */
  inside(): readonly KeyValue[] {
    const passed = this.decisions.flatMap((decision) =>
      decision.kind === 'tripped' ? decision.parties : [],
    );
    const names = new Set(passed.map(({ ticket }) => ticket));
    this.#inside ??= this.tickets.filter(({ key }) => names.has(ticketNameIn(toText(key))));
    return this.#inside;
  }

  stands({ key, createRevision }: TicketFacts): boolean {
    return this.tickets.some((ticket) => isSame(ticket, { key, createRevision }));
  }

  leave(round: bigint): Leave {
    return this.leaves.get(round) ?? noLeave;
  }
}

/** The same for all who are shown the same state. */
const standings = new WeakMap<LineState, Standing>();

export function standingOf(keys: BarrierKeys, state: LineState): Standing {
  const standing = standings.get(state) ?? new Standing(keys, state);
  standings.set(state, standing);
  return standing;
}

/** -1 if it is not among them. */
export function placeIn(parties: readonly { readonly ticket: string }[], { key }: TicketFacts): number {
  const name = ticketNameIn(toText(key));
  return parties.findIndex(({ ticket }) => ticket === name);
}

export function isSame(one: TicketFacts, other: TicketFacts): boolean {
  return one.createRevision === other.createRevision && toText(one.key) === toText(other.key);
}
