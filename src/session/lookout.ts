import { toText } from '../base/bytes.js';
import { ClosedError, CompactedError, type ConclaveError, type SessionLostError } from '../base/errors.js';
import { messageIn, ticketNameIn } from '../base/keys.js';
import type { Runtime, Timer } from '../base/runtime.js';
import { get, prefix } from '../store/operations.js';
import type { KeyValue, StoreEvent } from '../store/results.js';
import type { Store } from '../store/store.js';
import type { Watch } from '../store/watch.js';
import type { News } from './news.js';

/** Something that ends with its session and that the store may remove by itself: a hold on a ticket. */
export interface Dependent {
  readonly key: string;
  readonly createRevision: bigint;
  /** Asks it to end; resolves (never rejects) once its key has been given back. */
  stop(reason: Error): Promise<void>;
  /** The session is over. Called synchronously. */
  sessionLost(error: SessionLostError): void;
  /** The key was found missing. */
  keyGone(): void;
}

/** How often to look, at the most. */
const minIntervalMs = 10_000;
const keysPerLook = 100;

export interface LookoutOptions {
  readonly key: string;
  readonly createRevision: bigint;
  /** How often to look although no event came; at least every 10 s is not useful. */
  readonly intervalMs: number;
  readonly dependents: ReadonlySet<Dependent>;
  /** Is told what others say about the session's tickets. */
  readonly news: News;
  /** The session key is gone. */
  readonly onGone: () => void;
}

/**
 * Watches over a session's keys in the store: its own by a watch, since keep-alive may hide a revoke (etcd before 3.4.38),
 * and all of them by a slow look, since events may be lost (3.4.23 around compactions). What others say to the session
 * stands below its key, and is found in both ways.
 */
export class Lookout {
  readonly #store: Store;
  readonly #runtime: Runtime;
  readonly #options: LookoutOptions;
  #watch: Watch | undefined;
  #timer: Timer | undefined;
  readonly #over = new AbortController();

  constructor(store: Store, runtime: Runtime, options: LookoutOptions) {
    this.#store = store;
    this.#runtime = runtime;
    this.#options = options;
    // From the revision after its creation: no gap in which a deletion could go unseen.
    this.#watchFrom(options.createRevision + 1n);
    this.#lookLater();
  }

  stop(): void {
    this.#over.abort();
    this.#watch?.cancel();
    this.#timer?.cancel();
  }

  /**
   * One read-only transaction per hundred keys: is everything still there? Reports what is not. Never rejects.
   *
   * @returns the revision of the answer; undefined if there was none to rely on
   */
  async look(): Promise<bigint | undefined> {
    const dependents = [...this.#options.dependents];
    let revision: bigint | undefined;
    for (let from = 0; from === 0 || from < dependents.length; from += keysPerLook) {
      revision = await this.#lookAt(dependents.slice(from, from + keysPerLook));
      if (revision === undefined) return undefined;
    }
    return revision;
  }

  async #lookAt(dependents: readonly Dependent[]): Promise<bigint | undefined> {
    const { key, createRevision, onGone } = this.#options;
    const ops = [key, ...dependents.map((dependent) => dependent.key)].map((k) => get(k, { keysOnly: true }));
    const answer = await this.#store.txn({ then: [get(prefix(`${key}/`)), ...ops] }).catch(() => undefined);
    if (!answer || this.#over.signal.aborted) return undefined;
    const { revision } = answer.header;
    // An answer from before the session proves nothing (etcd 3.4.20 to 3.4.41 can give a stale one).
    if (revision < createRevision) return undefined;
    const [messages, ...others] = answer.responses;
    const [self, ...kvs] = others.map(({ kvs }) => kvs[0]);
    if (self?.createRevision !== createRevision) {
      onGone();
      return undefined;
    }
    for (const message of messages?.kvs ?? []) this.#hear(message);
    dependents.forEach((dependent, i) => {
      if (revision < dependent.createRevision || !this.#options.dependents.has(dependent)) return;
      if (kvs[i]?.createRevision !== dependent.createRevision) dependent.keyGone();
    });
    return revision;
  }

  #lookLater(): void {
    const delayMs = Math.max(this.#options.intervalMs, minIntervalMs);
    const lookAndGoOn = async (): Promise<void> => {
      const revision = await this.look();
      if (!this.#isWatching()) return;
      if (!this.#watch && revision !== undefined) this.#watchFrom(revision + 1n);
      this.#lookLater();
    };
    this.#timer = this.#runtime.setTimer(delayMs, () => void lookAndGoOn(), { background: true });
  }

  #watchFrom(startRevision: bigint): void {
    this.#watch = this.#store.listen(
      prefix(this.#options.key),
      { startRevision },
      {
        created: () => {},
        events: (_revision, events) => {
          if (events.some((event) => this.#isEnd(event))) this.#options.onGone();
          else for (const { type, kv } of events) if (type === 'put') this.#hear(kv);
        },
        // Rejects if the store is closed meanwhile: then nothing is left to watch.
        ended: (error) => void this.#watchEnded(error).catch(() => {}),
      },
    );
  }

  #isEnd({ type, kv }: StoreEvent): boolean {
    return type === 'delete' && toText(kv.key) === this.#options.key;
  }

  #hear({ key, value }: KeyValue): void {
    const { news, dependents } = this.#options;
    const message = messageIn(this.#options.key, toText(key));
    if (!message) return;
    news.hear(message.kind, message.ticket, value);
    if (message.kind === 'ask') return;
    // Put by the very transaction that has removed it.
    for (const dependent of [...dependents]) {
      if (ticketNameIn(dependent.key) === message.ticket) dependent.keyGone();
    }
  }

  #isWatching(): boolean {
    return !this.#over.signal.aborted;
  }

  async #watchEnded(error: ConclaveError): Promise<void> {
    if (!this.#isWatching() || error instanceof ClosedError) return;
    // Anything else is a permission that was withdrawn, or a login that was refused. The deadline and the slow look still
    // protect; the first look that is answered again opens the watch, too.
    this.#watch = undefined;
    if (!(error instanceof CompactedError)) return;
    // What happened in between is found by looking; then the watch goes on from there.
    const revision = (await this.look()) ?? error.compactRevision;
    if (this.#isWatching()) this.#watchFrom(revision + 1n);
  }
}
