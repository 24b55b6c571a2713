import { type StoreEvent, toText } from '../../../src/index.js';

/** A key of a queue, as `docs/keys.md` describes it. */
export type Place =
  | {
      readonly kind: 'job' | 'active' | 'claim' | 'place' | 'cancel' | 'dead' | 'result';
      readonly id: string;
    }
  | {
      readonly kind: 'ready' | 'group' | 'delayed';
      readonly id: string;
      readonly lane: string;
      readonly at: bigint;
    }
  | { readonly kind: 'slot'; readonly group: string; readonly index: number }
  | { readonly kind: 'floor'; readonly lane: string }
  | { readonly kind: 'paused' | 'permit' | 'other' };

/** @param key below the prefix of the queue */
export function placeOf(key: string): Place {
  const [kind = '', ...rest] = key.split('/');
  const id = rest.at(-1) ?? '';
  const lane = rest.slice(0, -2).join('/');
  const at = (text: string | undefined): bigint => BigInt(`0x${(text ?? '0').slice(0, 16)}`);
  switch (kind) {
    case 'job':
    case 'place':
    case 'cancel':
    case 'dead':
    case 'result':
      return { kind, id };
    case 'active':
      return rest.length === 1 ? { kind, id } : { kind: 'claim', id: rest[0] ?? '' };
    case 'ready':
    case 'group':
      return { kind, id, lane: `${kind}/${lane}`, at: at(rest.at(-2)) };
    case 'delayed':
      return { kind, id, lane: kind, at: at(rest[0]) };
    case 'slot':
      return { kind, group: rest[0] ?? '', index: Number(id) };
    case 'floor':
      return { kind, lane: rest.join('/') };
    default:
      if (key === 'workers/paused') return { kind: 'paused' };
      return { kind: key.startsWith('permits/t/') ? 'permit' : 'other' };
  }
}

export interface Stored {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
  readonly create: bigint;
  readonly version: bigint;
  readonly lease: bigint;
}

export interface Waiting extends Stored {
  readonly kind: 'ready' | 'group' | 'delayed';
  readonly lane: string;
  readonly at: bigint;
}

/** Everything that stands of a job at one revision. */
export interface Standing {
  readonly body?: Stored | undefined;
  readonly active?: Stored | undefined;
  readonly place?: Stored | undefined;
  readonly cancel?: Stored | undefined;
  readonly dead?: Stored | undefined;
  readonly result?: Stored | undefined;
  readonly claims: readonly Stored[];
  readonly waits: readonly Waiting[];
  /** `group/index` of the slots that name it. */
  readonly slots: readonly string[];
}

export const nothing: Standing = { claims: [], waits: [], slots: [] };

export function storedIn({ kv }: StoreEvent, key: string): Stored {
  const { createRevision: create, version, lease } = kv;
  const text = toText(kv.value);
  const value = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text };
  return { key, value, create, version, lease };
}

/** The same, with one key of it put, or gone. */
export function changed(standing: Standing, place: Place, key: string, stored: Stored | undefined): Standing {
  switch (place.kind) {
    case 'job':
      return withPart(standing, 'body', stored);
    case 'active':
    case 'place':
    case 'cancel':
    case 'dead':
    case 'result':
      return withPart(standing, place.kind, stored);
    case 'claim': {
      const others = standing.claims.filter((each) => each.key !== key);
      return { ...standing, claims: stored ? [...others, stored] : others };
    }
    case 'ready':
    case 'group':
    case 'delayed': {
      const { kind, lane, at } = place;
      const others = standing.waits.filter((each) => each.key !== key);
      return { ...standing, waits: stored ? [...others, { ...stored, kind, lane, at }] : others };
    }
    case 'slot': {
      const name = `${place.group}/${place.index}`;
      const others = standing.slots.filter((each) => each !== name);
      return { ...standing, slots: stored ? [...others, name] : others };
    }
    case 'floor':
    case 'paused':
    case 'permit':
    case 'other':
      return standing;
  }
}

type Part = 'body' | 'active' | 'place' | 'cancel' | 'dead' | 'result';

function withPart(standing: Standing, part: Part, stored: Stored | undefined): Standing {
  return { ...standing, [part]: stored };
}

/** What is written of the attempts of a job, wherever it stands. */
export interface Attempts {
  readonly failures: number;
  readonly crashes: number;
  readonly slot: number | undefined;
  readonly because: string | undefined;
}

export function attemptsIn({ value }: Pick<Stored, 'value'>): Attempts {
  const { failures, crashes, slot, because } = value as Partial<Attempts>;
  return { failures: failures ?? NaN, crashes: crashes ?? NaN, slot, because };
}
