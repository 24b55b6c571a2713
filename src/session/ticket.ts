import { toText } from '../base/bytes.js';
import { type MessageKind, messageKey, ticketNameIn } from '../base/keys.js';
import { raceSignal, withOwnSignal } from '../base/wait.js';
import { compare, type Compare, type GetOp, remove, type RemoveOp } from '../store/operations.js';
import type { KeyValue, OpResult } from '../store/results.js';
import type { Store } from '../store/store.js';
import type { Demand } from './demand.js';
import { type Line, type LineState, placeOf } from './line.js';
import type { LineViews } from './line-view.js';
import type { TicketNews } from './news.js';
import type { Session } from './session.js';

/** Who wants what, and where: one ticket, standing in each of the lines. */
export interface Request {
  /** No two of them share keys. */
  readonly lines: readonly Line[];
  /** For messages: `mutex "orders/42"`. */
  readonly title: string;
  readonly demand: Demand;
  readonly session: Session;
  readonly views: LineViews;
}

/** Answers to `readsOf` the lines, at one revision. */
export interface Seen {
  readonly revision: bigint;
  readonly results: readonly OpResult[];
}

export type OnBlocked = (older: readonly KeyValue[], line: Line) => void;

/** Where a ticket stands in one of its lines. */
export interface Spot {
  readonly line: Line;
  readonly key: string;
  /** The line as the transaction saw it that put the ticket. */
  readonly taken: LineState;
}

/**
 * A place in a line, or the same in several: keys that only this session writes, under its lease, all put by one
 * transaction. Their create revision is the place in the order and the fencing token.
 */
export class Ticket {
  readonly request: Request;
  readonly spots: readonly Spot[];
  readonly createRevision: bigint;

  /** Found if one of its keys is: should somebody have removed another, that is noticed by whoever waits with it. */
  static among(seen: Seen, request: Request, keys: readonly string[]): Ticket | undefined {
    const mine = kvsOf(seen.results).find(({ key }) => keys.includes(toText(key)));
    if (!mine) return undefined;
    const spots = statesOf(request.lines, seen).map(([line, taken], i) => ({
      line,
      taken,
      key: keys[i] ?? '',
    }));
    return new Ticket(request, spots, mine.createRevision);
  }

  private constructor(request: Request, spots: readonly Spot[], createRevision: bigint) {
    this.request = request;
    this.spots = spots;
    this.createRevision = createRevision;
  }

  get session(): Session {
    return this.request.session;
  }

  /** The one in its first line. */
  get key(): string {
    return this.spots[0]?.key ?? '';
  }

  /** For messages: what it is a ticket of. */
  get title(): string {
    return this.request.title;
  }

  /** In one of these lines, at least. */
  standsIn(store: Store, lines: readonly Line[]): boolean {
    if (this.session.store !== store) return false;
    return this.spots.some((spot) => lines.some(({ prefix }) => prefix === spot.line.prefix));
  }

  /** All true in the store for exactly as long as this ticket stands in all its lines. */
  guards(): readonly Compare[] {
    return this.spots.map(({ key }) => compare.createRevision(key, '=', this.createRevision));
  }

  /** What others have said about it. */
  get news(): TicketNews {
    return this.session.news.of(this.key);
  }

  /** Removes what others have said about it: part of whatever removes it, or finds it gone. Nothing more can come then. */
  unsaying(...kinds: readonly MessageKind[]): readonly RemoveOp[] {
    const { session, key } = this;
    return kinds.map((kind) => remove(messageKey(session.key, kind, ticketNameIn(key))));
  }

  /** Whether the rule lets it pass, by what the transaction saw that put it. @throws ConflictError if it never can */
  isAdmittedAtOnce(): boolean {
    return this.spots.every((spot) => {
      const verdict = this.#judge(spot, spot.taken, () => {});
      if (typeof verdict === 'object') throw verdict.error;
      return verdict === 'admitted';
    });
  }

  /**
   * Resolves when the rule lets this ticket pass in every line: seen at one revision of each, not below its create
   * revision, at which it stands in that line itself. Evidence of different lines may be of different revisions (the
   * lemma in `rules.ts`), but each line is watched until all have admitted: a ticket removed from one of them meanwhile
   * is not overlooked.
   *
   * @param onBlocked shown who stands before it in a line, at first and after each change
   * @returns `yields` if the demand prefers to go behind somebody; the ticket still stands
   * @throws SessionLostError as soon as the session is over, whoever holds; ConflictError if somebody removed the ticket,
   * or if it can never pass
   */
  async untilAdmitted(signal: AbortSignal, onBlocked: OnBlocked): Promise<'admitted' | 'yields'> {
    const { spots } = this;
    const verdicts = new Map<Spot, Verdict>();
    /** True once all admit, or one decides otherwise. */
    const look = (spot: Spot, state: LineState): boolean => {
      verdicts.set(spot, this.#judge(spot, state, onBlocked));
      const all = [...verdicts.values()];
      return all.some(isFinal) || (all.length === spots.length && !all.includes('blocked'));
    };
    // Free at first sight: no watch.
    if (!spots.map((spot) => look(spot, spot.taken)).includes(true)) {
      this.session.options.runtime.probe('ticket.waiting');
      await withOwnSignal(signal, (over) =>
        Promise.race(
          spots.map((spot) =>
            this.request.views.view(spot.line).until(spot.taken, (state) => look(spot, state), over),
          ),
        ),
      );
    }
    for (const verdict of verdicts.values()) {
      if (verdict === 'gone') await this.explainGone(signal);
      if (typeof verdict === 'object') throw verdict.error;
      if (verdict === 'yields') return 'yields';
    }
    await this.session.untilValid(signal);
    return 'admitted';
  }

  #judge({ line, key }: Spot, state: LineState, onBlocked: OnBlocked): Verdict {
    // A view from before this ticket says nothing about it.
    if (state.revision < this.createRevision) return 'blocked';
    const { rule, yields } = this.request.demand;
    const place = placeOf(state.tickets, key, this.createRevision);
    const mine = state.tickets[place];
    if (!mine) return 'gone';
    const older = state.tickets.slice(0, place);
    try {
      if (rule(older, mine, state.settings)) return 'admitted';
    } catch (error) {
      return { error };
    }
    onBlocked(older, line);
    return yields?.({ older, mine, younger: state.tickets.slice(place + 1) }) ? 'yields' : 'blocked';
  }

  /** Found missing. @throws SessionLostError if that is why; else what is known of who has removed it; the signal's reason */
  async explainGone(signal: AbortSignal): Promise<never> {
    await raceSignal(this.session.confirm(), signal);
    this.session.assertAlive();
    throw this.news.whyGone(this.key);
  }
}

type Verdict = 'blocked' | 'admitted' | 'gone' | 'yields' | { readonly error: unknown };

/** Whatever the other lines say. */
function isFinal(verdict: Verdict): boolean {
  return verdict !== 'blocked' && verdict !== 'admitted';
}

export function readsOf(lines: readonly Line[]): readonly GetOp[] {
  return lines.flatMap((line) => line.reads());
}

export function statesOf(
  lines: readonly Line[],
  { revision, results }: Seen,
): readonly (readonly [Line, LineState])[] {
  let next = 0;
  return lines.map((line) => {
    const first = next;
    next += line.reads().length;
    return [line, line.stateOf(revision, kvsOf(results.slice(first, next)))];
  });
}

export function kvsOf(results: readonly OpResult[]): readonly KeyValue[] {
  return results.flatMap((result) => (result.kind === 'get' ? result.kvs : []));
}
