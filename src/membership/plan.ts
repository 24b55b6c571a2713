import { toText } from '../base/bytes.js';
import { ConflictError } from '../base/errors.js';
import type { KeyValue } from '../store/results.js';
import type { Assignment } from './assignment.js';

/** Programs of different versions share plans during a rolling deploy as long as this number is the same. */
const version = 1;

/** What is stored: each member once, and for each shard the place of its owner among them, -1 for nobody. */
interface Stored {
  readonly v: number;
  readonly members: readonly string[];
  readonly owners: readonly number[];
}

export function encodePlan(assignment: Assignment): string {
  const members = [...new Set(assignment)].filter((member) => member !== undefined);
  const places = new Map(members.map((member, place) => [member, place]));
  const owners = assignment.map((member) => (member === undefined ? -1 : (places.get(member) ?? -1)));
  return JSON.stringify({ v: version, members, owners } satisfies Stored);
}

/**
 * Who is to have which shard; nobody anything if there is no plan, or one that is none of ours, or one for another number of
 * shards.
 *
 * @throws ConflictError if a newer version of this library wrote it
 */
export function readPlan(kv: KeyValue | undefined, shards: number): Assignment {
  const stored = kv && parse(kv.value);
  if (kv && stored && stored.v > version) {
    throw new ConflictError(
      `${toText(kv.key)} was written by a newer version of Conclave (format ${stored.v}; this one reads ${version}): update this program`,
    );
  }
  if (stored?.owners.length !== shards) return [];
  return stored.owners.map((place) => stored.members[place]);
}

function parse(bytes: Uint8Array): Stored | undefined {
  try {
    const { v, members, owners } = JSON.parse(toText(bytes)) as Partial<Record<keyof Stored, unknown>>;
    if (typeof v !== 'number') return undefined;
    if (v > version) return { v, members: [], owners: [] };
    const isPlan =
      Array.isArray(members) &&
      members.every((member) => typeof member === 'string') &&
      Array.isArray(owners) &&
      owners.every((owner) => typeof owner === 'number');
    return isPlan ? { v, members, owners } : undefined;
  } catch {
    return undefined;
  }
}
