import type { LineFolder, Place } from '../base/keys.js';
import { linePrefix, placeText } from '../base/keys.js';
import { type KeyRange, prefix, prefixEnd, range } from '../store/operations.js';
import { toBytes } from '../base/bytes.js';

export type BarrierKind = 'double barrier' | 'cyclic barrier';

const folders: Readonly<Record<BarrierKind, LineFolder>> = {
  'double barrier': 'double-barrier',
  'cyclic barrier': 'cyclic-barrier',
};

/** Where the things of a barrier stand. */
export class BarrierKeys {
  readonly prefix: string;
  /** For messages: `double barrier "nightly"`. */
  readonly title: string;
  /** Tickets of those who have come. */
  readonly in: string;
  /** Put whenever one goes again before its round is decided. */
  readonly left: string;
  readonly #outs: string;
  readonly #leaves: string;

  /** @throws TypeError, RangeError for a bad name or path */
  constructor(namespace: string, kind: BarrierKind, place: Place) {
    this.prefix = linePrefix(namespace, folders[kind], place);
    this.title = `${kind} ${placeText(place)}`;
    this.in = `${this.prefix}in/`;
    this.left = `${this.prefix}left`;
    this.#outs = `${this.prefix}out/`;
    this.#leaves = `${this.prefix}leave/`;
  }

  /** How the tickets up to this create revision, and after the outcome before, have fared. */
  out(upTo: bigint): string {
    return this.#outs + hex(upTo);
  }

  /** All outcomes. */
  outs(): KeyRange {
    return prefix(this.#outs);
  }

  /** The outcomes that are about a ticket of this create revision, or younger ones. */
  outsFrom(createRevision: bigint): KeyRange {
    return range(this.out(createRevision), prefixEnd(toBytes(this.#outs)));
  }

  /** Everything about how a round is left. */
  leave(round: bigint): string {
    return `${this.#leaves}${hex(round)}/`;
  }

  /** Tickets of those who wait for the others to leave. */
  leaving(round: bigint): string {
    return `${this.leave(round)}in/`;
  }

  /** How the leaving has ended. */
  leaveOut(round: bigint): string {
    return `${this.leave(round)}out`;
  }

  /** What a key is; undefined for what does not belong here. */
  read(key: string): BarrierKey | undefined {
    if (key.startsWith(this.in)) return { kind: 'in' };
    if (key === this.left) return { kind: 'left' };
    const [, kind, number = '', rest] =
      /^(out|leave)\/([0-9a-f]{16})(?:\/(.+))?$/.exec(key.slice(this.prefix.length)) ?? [];
    const round = BigInt(`0x${number || '0'}`);
    if (kind === 'out' && rest === undefined) return { kind: 'out', round };
    if (kind === 'leave' && rest === 'out') return { kind: 'leave-out', round };
    if (kind === 'leave' && rest?.startsWith('in/')) return { kind: 'leaving', round };
    return undefined;
  }
}

export type BarrierKey =
  | { readonly kind: 'in' | 'left' }
  /** `round`: the create revision of the last ticket that belongs to it. */
  | { readonly kind: 'out' | 'leave-out' | 'leaving'; readonly round: bigint };

/** As many digits as the largest revision has: in the order of the keys, revisions grow. */
function hex(revision: bigint): string {
  return revision.toString(16).padStart(16, '0');
}
