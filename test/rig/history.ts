import { toText } from '../../src/base/bytes.js';
import type { Conclave } from '../../src/conclave.js';
import { prefix } from '../../src/store/operations.js';

/** A key from one put to the next, or to its end. */
export interface Form {
  readonly value: string;
  readonly from: bigint;
  /** The first revision at which it is no more. */
  readonly to: bigint;
}

/** A key from its creation to its end: a ticket. Never the same twice, even under one name. */
export interface Life {
  readonly key: string;
  readonly createRevision: bigint;
  readonly to: bigint;
  readonly forms: readonly Form[];
}

/** Later than anything. */
const never = 2n ** 63n;

/**
 * Every key below a prefix that ever was, from the first revision of the store on: nothing may be compacted.
 *
 * Ends with what was there when it was asked.
 */
export async function livesBelow({ store }: Conclave, start: string): Promise<Life[]> {
  const { header } = await store.put('end of history', '');
  const alive = new Map<string, Growing>();
  const lives: Growing[] = [];
  // All keys: the watch shows when it has come to the end.
  for await (const notice of store.watch(prefix(''), { startRevision: 1n })) {
    if (notice.kind !== 'events') continue;
    for (const { type, kv } of notice.events) {
      const key = toText(kv.key);
      if (!key.startsWith(start)) continue;
      const before = alive.get(key);
      if (type === 'delete') {
        before?.end(kv.modRevision);
        alive.delete(key);
      } else if (before) before.put(kv.modRevision, toText(kv.value));
      else {
        const life = new Growing(key, kv.modRevision, toText(kv.value));
        alive.set(key, life);
        lives.push(life);
      }
    }
    if (notice.revision >= header.revision) break;
  }
  return lives;
}

class Growing implements Life {
  readonly key: string;
  readonly createRevision: bigint;
  readonly forms: { value: string; from: bigint; to: bigint }[] = [];
  to: bigint = never;

  constructor(key: string, createRevision: bigint, value: string) {
    this.key = key;
    this.createRevision = createRevision;
    this.put(createRevision, value);
  }

  put(revision: bigint, value: string): void {
    this.#endForm(revision);
    this.forms.push({ value, from: revision, to: never });
  }

  end(revision: bigint): void {
    this.#endForm(revision);
    this.to = revision;
  }

  #endForm(revision: bigint): void {
    const last = this.forms.at(-1);
    if (last) last.to = revision;
  }
}

/** The form it had at a revision, if it was there. */
export function formAt({ forms }: Life, revision: bigint): Form | undefined {
  return forms.find(({ from, to }) => from <= revision && revision < to);
}

/** How much of something was taken from one revision up to, not including, another. */
export interface Span {
  readonly weight: number;
  readonly from: bigint;
  readonly to: bigint;
}

/** The most that was taken at any one revision. */
export function peak(spans: readonly Span[]): number {
  const changes = spans.flatMap(({ weight, from, to }) => [
    { at: from, by: weight },
    { at: to, by: -weight },
  ]);
  // Who leaves at a revision is gone before somebody comes.
  changes.sort((a, b) => (a.at === b.at ? a.by - b.by : a.at < b.at ? -1 : 1));
  let taken = 0;
  return changes.reduce((most, { by }) => Math.max(most, (taken += by)), 0);
}
