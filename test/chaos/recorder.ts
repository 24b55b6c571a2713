import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { systemRuntime } from '../../src/base/runtime.js';
import { EtcdTransport } from '../../src/etcd/transport.js';
import { Conclave, CompactedError, prefix } from '../../src/index.js';
import type { StoreEvent } from '../../src/store/results.js';
import type { Change } from '../history/record.js';
import { monotonicMs } from './client/paper.js';

const decoder = new TextDecoder();
const endKey = 'recorder/end';

/**
 * Writes down everything that happens in a store, from its first revision on. It reads from each member by itself, so
 * that neither a member that is away nor a compaction makes it miss anything: as long as one has told it.
 */
export class Recorder implements AsyncDisposable {
  readonly #feeds: readonly Conclave[];
  readonly #byRevision = new Map<number, readonly Change[]>();
  /** What stands now, by key. */
  readonly #standing = new Map<string, Change>();
  readonly #stop = new AbortController();
  readonly #told = new EventEmitter();
  readonly #ended: Promise<unknown>;
  /** All up to this one is known. */
  #upTo = 1;

  /** @param endpoints those of the members, out of reach of every fault */
  constructor(endpoints: readonly string[]) {
    this.#told.setMaxListeners(0);
    this.#feeds = endpoints.map(opened);
    this.#ended = Promise.all(this.#feeds.map((feed) => this.#read(feed)));
  }

  /** Sorted by revision, as far as nothing is missing. */
  get changes(): Change[] {
    return Array.from({ length: this.#upTo }, (_, i) => this.#byRevision.get(i + 1) ?? []).flat();
  }

  /** The keys that stand, as far as is known. */
  get standing(): readonly Change[] {
    return [...this.#standing.values()];
  }

  /** Calls for each change, those of a revision in order, as it becomes known. @returns what ends that */
  onChange(listener: (change: Change) => void): () => void {
    this.#told.on('change', listener);
    return () => this.#told.off('change', listener);
  }

  /** Resolves once all that has happened before is written down. @returns the last revision */
  async catchUp(limitMs = 30_000): Promise<number> {
    const revision = await this.#write(limitMs);
    const end = performance.now() + limitMs;
    while (this.#upTo < revision && performance.now() < end) await delay(10);
    if (this.#upTo < revision)
      throw new Error(`nobody has told what happened at revision ${this.#upTo + 1} of ${revision}`);
    return revision;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#feeds.map((feed) => feed.close()));
    await this.#ended;
  }

  /** By whichever member does it. */
  async #write(limitMs: number): Promise<number> {
    const errors: unknown[] = [];
    const end = performance.now() + limitMs;
    while (performance.now() < end) {
      for (const { store } of this.#feeds) {
        try {
          return Number((await store.put(endKey, '', { timeoutMs: 2_000 })).header.revision);
        } catch (error) {
          errors.push(error);
        }
      }
      await delay(50);
    }
    throw new AggregateError(errors.slice(-3), 'no member takes a write');
  }

  async #read({ store }: Conclave): Promise<void> {
    const { signal } = this.#stop;
    let next = 1n;
    while (!signal.aborted) {
      try {
        for await (const notice of store.watch(prefix(''), { startRevision: next, signal })) {
          if (notice.kind !== 'events') continue;
          this.#add(notice.events);
          next = notice.revision + 1n;
        }
      } catch (error) {
        if (error instanceof CompactedError && error.compactRevision > next) next = error.compactRevision;
        else await delay(50);
      }
    }
  }

  #add(events: readonly StoreEvent[]): void {
    const at = monotonicMs();
    const changes = events.map((event) => changeOf(event, at));
    const revision = changes[0]?.revision;
    if (revision === undefined || this.#byRevision.has(revision)) return;
    this.#byRevision.set(revision, changes);
    for (;;) {
      const next = this.#byRevision.get(this.#upTo + 1);
      if (!next) return;
      this.#upTo++;
      for (const change of next) this.#apply(change);
    }
  }

  #apply(change: Change): void {
    if (change.type === 'put') this.#standing.set(change.key, change);
    else this.#standing.delete(change.key);
    this.#told.emit('change', change);
  }
}

function opened(endpoint: string): Conclave {
  const transport = new EtcdTransport({
    endpoints: [endpoint],
    runtime: systemRuntime,
    dialTimeoutMs: 5_000,
  });
  return Conclave.over(transport, { runtime: systemRuntime, namespace: 'recorder' });
}

function changeOf({ type, kv }: StoreEvent, at: number): Change {
  return {
    revision: Number(kv.modRevision),
    at,
    type,
    key: decoder.decode(kv.key),
    value: decoder.decode(kv.value),
    createRevision: Number(kv.createRevision),
    version: Number(kv.version),
    lease: kv.lease.toString(16),
  };
}
