import { EventEmitter, once } from 'node:events';

import { toText } from '../../src/base/bytes.js';
import type { Conclave } from '../../src/conclave.js';
import { prefix } from '../../src/store/operations.js';
import type { StoreEvent } from '../../src/store/results.js';
import type { Store } from '../../src/store/store.js';
import { guardMs } from './patience.js';

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

/** Later than anything: the end of what is still there. */
export const never: bigint = 2n ** 63n;

/** Writes down whatever happens in the store, from its first revision on. Compaction is no harm once it has caught up. */
export class Recorder implements AsyncDisposable {
  readonly #store: Store;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  readonly #events: StoreEvent[] = [];
  readonly #told = new EventEmitter();
  #revision = 0n;

  constructor({ store }: Conclave) {
    this.#store = store;
    this.#ended = this.#read();
    this.#ended.catch((error: unknown) => this.#told.emit('error', error));
    this.#told.on('error', () => {}); // heard by whoever waits, then
  }

  /** Resolves with the present revision, once all up to it is written down. */
  async catchUp(): Promise<bigint> {
    const { header } = await this.#store.put('end of history', '');
    const signal = AbortSignal.timeout(guardMs);
    while (this.#revision < header.revision) await once(this.#told, 'news', { signal });
    return header.revision;
  }

  /** Every key below a prefix that ever was, as far as it is written down. */
  livesBelow(prefix: string): Life[] {
    return livesIn(this.#events.filter(({ kv }) => toText(kv.key).startsWith(prefix)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended.catch(() => {});
  }

  async #read(): Promise<void> {
    const { signal } = this.#stop;
    // All keys: that of `catchUp` shows how far it has come.
    for await (const notice of this.#store.watch(prefix(''), { startRevision: 1n, signal })) {
      if (notice.kind !== 'events') continue;
      this.#events.push(...notice.events);
      this.#revision = notice.revision;
      this.#told.emit('news');
    }
  }
}

/** Every key below a prefix that ever was. Nothing may have been compacted. */
export async function livesBelow(conclave: Conclave, prefix: string): Promise<Life[]> {
  await using recorder = new Recorder(conclave);
  await recorder.catchUp();
  return recorder.livesBelow(prefix);
}

function livesIn(events: readonly StoreEvent[]): Life[] {
  const alive = new Map<string, Growing>();
  const lives: Growing[] = [];
  for (const { type, kv } of events) {
    const key = toText(kv.key);
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
