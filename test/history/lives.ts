import type { Change } from './record.js';

/** A key from one put to the next, or to its end. */
export interface Form {
  readonly value: string;
  readonly from: number;
  /** The first revision at which it is no more. */
  readonly to: number;
}

/** A key from its creation to its end. A ticket is never the same twice; other keys may have several lives. */
export interface Life {
  readonly key: string;
  /** As it was created with. */
  readonly lease: string;
  readonly createRevision: number;
  readonly createdAt: number;
  /** Infinity if it is still there. */
  readonly deleteRevision: number;
  /** When that was seen; Infinity if it is still there. */
  readonly deletedAt: number;
  readonly forms: readonly Form[];
}

interface Growing extends Omit<Life, 'forms'> {
  readonly forms: { readonly value: string; readonly from: number; to: number }[];
}

/** All of them, in the order of their creation. */
export function livesOf(changes: readonly Change[]): Life[] {
  const alive = new Map<string, Growing>();
  const lives: Growing[] = [];
  for (const { type, key, revision, at, value, lease } of changes) {
    const life = alive.get(key);
    const form = life?.forms.at(-1);
    if (form) form.to = revision;
    if (type === 'delete') {
      alive.delete(key);
      if (life) Object.assign(life, { deleteRevision: revision, deletedAt: at });
    } else if (life) {
      life.forms.push({ value, from: revision, to: Infinity });
    } else {
      const forms = [{ value, from: revision, to: Infinity }];
      const end = { deleteRevision: Infinity, deletedAt: Infinity };
      const born: Growing = { key, lease, createRevision: revision, createdAt: at, ...end, forms };
      alive.set(key, born);
      lives.push(born);
    }
  }
  return lives;
}

/** What stands right below a prefix: tickets of a line, jobs of a queue. */
export function livesRightBelow(lives: readonly Life[], prefix: string): Life[] {
  return lives.filter(({ key }) => key.startsWith(prefix) && !key.includes('/', prefix.length));
}

export function isStanding({ createRevision, deleteRevision }: Life, revision: number): boolean {
  return createRevision <= revision && revision < deleteRevision;
}

/** What it was; undefined if it was not there. */
export function formAt({ forms }: Life, revision: number): Form | undefined {
  return forms.find(({ from, to }) => from <= revision && revision < to);
}

/** The store's revision when everything had been seen that was seen at this time; 0 before the first change. */
export function revisionAt(changes: readonly Change[], time: number): number {
  let [low, high] = [0, changes.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((changes[middle]?.at ?? 0) <= time) low = middle + 1;
    else high = middle;
  }
  return changes[low - 1]?.revision ?? 0;
}
