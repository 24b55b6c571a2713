import { toText } from '../base/bytes.js';
import { ticketNameIn } from '../base/keys.js';
import type { LineState } from '../session/line.js';
import { compare, put } from '../store/operations.js';
import type { KeyValue } from '../store/results.js';
import type { BarrierKeys } from './barrier-keys.js';
import type { Matter, Motion } from './council.js';
import { contentOf, encodeOutcome, type Party, partyOf } from './outcome-value.js';
import { isSame, placeIn, type Standing, standingOf, type TicketFacts } from './standing.js';

/** What has become of one who has come. */
export type Fate =
  | {
      readonly kind: 'tripped';
      /** The create revision of the last ticket that belongs to it. */
      readonly round: bigint;
      /** In the order in which they had come. */
      readonly parties: readonly Party[];
      /** 0 for who had come first. */
      readonly index: number;
    }
  | { readonly kind: 'broken'; readonly by: Party }
  /** It cannot take part: its ticket still stands, unless something was decided about it. */
  | { readonly kind: 'refused'; readonly why: string; readonly isWithdrawn?: true }
  /** Its ticket was removed by somebody else. */
  | { readonly kind: 'gone' };

export interface BarrierRules {
  readonly keys: BarrierKeys;
  readonly parties: number;
  /** Nobody may come who is not of the round: not more than it takes, and not while the one before is inside. */
  readonly isExclusive: boolean;
}

/**
 * What becomes of a round, as one of its parties sees it.
 *
 * Outcomes are written once, and what was decided first about a ticket counts. A round is complete as soon as somebody has
 * seen all of its parties there at one revision, and gets that written before another outcome is, and before one of them
 * leaves. It is broken if somebody has seen one of them vanish that has not left, and gets that written.
 */
export class Entering implements Matter<Fate> {
  motion: Motion | undefined;
  readonly #rules: BarrierRules;
  readonly #ticket: TicketFacts;
  #last: Standing | undefined;
  /** Seen to vanish without having left, from a round that is not decided. */
  #dead: readonly KeyValue[] = [];

  readonly #onSeen: (standing: Standing) => void;

  /** @param ticket one's own @param onSeen called with each state */
  constructor(
    rules: BarrierRules,
    ticket: { readonly key: string; readonly createRevision: bigint },
    onSeen: (standing: Standing) => void,
  ) {
    this.#rules = rules;
    this.#onSeen = onSeen;
    this.#ticket = { key: Buffer.from(ticket.key), createRevision: ticket.createRevision };
  }

  see(state: LineState): Fate | undefined {
    const standing = standingOf(this.#rules.keys, state);
    const before = this.#last;
    this.#last = standing;
    this.#onSeen(standing);
    const fate = fateIn(standing, this.#ticket);
    if (fate) return fate;
    if (!standing.stands(this.#ticket)) return { kind: 'gone' };
    const why = this.#whyRefused(standing, before === undefined);
    if (why !== undefined) return { kind: 'refused', why };
    if (before) this.#mourn(before, standing);
    this.motion ??= this.#due(standing);
    return undefined;
  }

  drop(): void {
    this.motion = this.#last && this.#due(this.#last);
  }

  #whyRefused(standing: Standing, isFirst: boolean): string | undefined {
    const { parties, isExclusive } = this.#rules;
    if (isExclusive && standing.inside().length > 0) {
      return `the round before is still inside: ${standing.inside().length} have not left yet`;
    }
    // Later on nobody comes before us.
    if (!isFirst) return undefined;
    const [oldest] = standing.undecided();
    const wanted = oldest && contentOf(oldest)?.parties;
    if (wanted !== parties) {
      const others = wanted === undefined ? 'something that is no party of it' : `${wanted} parties`;
      return `it was begun with ${others}, this program names ${parties}: they have to agree`;
    }
    const place = standing.round(parties).findIndex((ticket) => isSame(ticket, this.#ticket));
    if (isExclusive && place >= parties) return `${parties} parties have come already`;
    return undefined;
  }

  /** Takes note of those who have vanished. */
  #mourn(before: Standing, now: Standing): void {
    const isOpen = ({ createRevision }: TicketFacts): boolean => createRevision > now.decidedUpTo;
    const vanished = before
      .round(this.#rules.parties)
      .filter((ticket) => isOpen(ticket) && !now.stands(ticket));
    // Several revisions may lie between the two states. More have vanished than have left: at least one has died.
    if (vanished.length > timesLeft(before, now)) {
      const lastLeft = now.left && toText(now.left.value);
      const dead = vanished.filter(({ key }) => ticketNameIn(toText(key)) !== lastLeft);
      this.#dead = [...this.#dead, ...(dead.length > 0 ? dead : vanished)];
    }
    this.#dead = this.#dead.filter(isOpen);
  }

  #due(standing: Standing): Motion | undefined {
    const { keys, parties, isExclusive } = this.#rules;
    const round = standing.round(parties);
    const [dead] = this.#dead;
    const youngest = round.at(-1);
    if (dead && youngest) {
      const value = encodeOutcome({ kind: 'broken', by: partyOf(dead) });
      return this.#motion(standing, put(keys.out(youngest.createRevision), value), round[0]);
    }
    const last = round[parties - 1];
    if (!last || (isExclusive && standing.inside().length > 0)) return undefined;
    const value = encodeOutcome({ kind: 'tripped', parties: round.slice(0, parties).map(partyOf) });
    return this.#motion(standing, put(keys.out(last.createRevision), value), last);
  }

  /** @param first who proposes it at once */
  #motion({ revision, left }: Standing, then: Motion['then'], first: KeyValue | undefined): Motion {
    const { keys } = this.#rules;
    return {
      if: [
        // Nothing was decided since.
        compare.modRevision(keys.outs(), '<', revision + 1n),
        // Nobody has left since. That somebody has died since, nobody has seen.
        compare.modRevision(keys.left, '=', left?.modRevision ?? 0n),
      ],
      then,
      isMine: first !== undefined && isSame(first, this.#ticket),
    };
  }
}

/** What was decided about a ticket; undefined as long as nothing was. */
export function fateIn(standing: Standing, ticket: TicketFacts): Fate | undefined {
  const decision = standing.decisionOn(ticket);
  if (decision === undefined) return undefined;
  if (decision.kind === 'unreadable') {
    return {
      kind: 'refused',
      why: 'its outcome was written by another program, or a newer version of Conclave',
    };
  }
  if (decision.kind === 'broken') return { kind: 'broken', by: decision.by };
  const { upTo: round, parties } = decision;
  const index = placeIn(parties, ticket);
  if (index >= 0) return { kind: 'tripped', round, parties, index };
  return { kind: 'refused', why: 'its parties had come already' };
}

/** How often somebody has left between two states. */
function timesLeft(before: Standing, now: Standing): number {
  if (!now.left) return 0;
  const { left } = before;
  const isSameKey = left?.createRevision === now.left.createRevision;
  return Number(now.left.version - (isSameKey ? left.version : 0n));
}
