import { toText } from '../base/bytes.js';
import { ticketNameIn } from '../base/keys.js';
import { type Holder, readContent } from '../session/ticket-value.js';
import type { KeyValue } from '../store/results.js';

/** One who has come to a barrier, as an outcome names it. */
export interface Party {
  /** The name of its ticket: the last part of the key. */
  readonly ticket: string;
  /** Its holder, for people. */
  readonly holder: string;
}

/** What has become of a round. Written once. */
export type Outcome =
  /** In the order in which they had come. */
  | { readonly kind: 'tripped'; readonly parties: readonly Party[] }
  /** `by`: who is gone. */
  | { readonly kind: 'broken'; readonly by: Party }
  /** Another program wrote this, or a newer version. */
  | { readonly kind: 'unreadable' };

const version = 1;
/** An outcome names every party. */
const maxHolderLength = 128;

export function encodeOutcome(outcome: Exclude<Outcome, { kind: 'unreadable' }>): string {
  return JSON.stringify({ v: version, ...outcome });
}

export function readOutcome({ value }: KeyValue): Outcome {
  try {
    const { v, kind, parties, by } = JSON.parse(toText(value)) as Partial<Record<string, unknown>>;
    if (v !== version) return { kind: 'unreadable' };
    if (kind === 'tripped' && Array.isArray(parties) && parties.every(isParty)) return { kind, parties };
    if (kind === 'broken' && isParty(by)) return { kind, by };
  } catch {
    // As below.
  }
  return { kind: 'unreadable' };
}

export function partyOf(ticket: KeyValue): Party {
  const holder = contentOf(ticket)?.holder;
  return { ticket: ticketNameIn(toText(ticket.key)), holder: nameOf(holder) };
}

/** undefined for what another program put, or a newer version: it belongs to no round of ours. */
export function contentOf(ticket: KeyValue): ReturnType<typeof readContent> {
  try {
    return readContent(ticket);
  } catch {
    return undefined;
  }
}

function nameOf(holder: Holder | undefined): string {
  return holder?.name.slice(0, maxHolderLength).toWellFormed() ?? 'another program';
}

function isParty(party: unknown): party is Party {
  if (typeof party !== 'object' || party === null) return false;
  const { ticket, holder } = party as Partial<Record<keyof Party, unknown>>;
  return typeof ticket === 'string' && typeof holder === 'string';
}
