import {
  CompactedError,
  type ConclaveError,
  FutureRevisionError,
  isConclaveError,
  UnavailableError,
} from '../base/errors.js';
import { retry } from '../store/retry.js';
import type { Runtime, Timer } from '../base/runtime.js';
import type { KeyValue, StoreEvent } from '../store/results.js';
import type { Store } from '../store/store.js';
import type { Watch } from '../store/watch.js';
import type { Line, LineState } from './line.js';

const recheckMs = 15_000;

interface Waiter {
  readonly look: (state: LineState) => boolean;
  readonly reject: (error: unknown) => void;
}

/**
 * Follows one line, for all who wait in it on this connection: one watch, no read per change.
 *
 * The view is always exact at its revision. It starts from the answer of a take (which lists the line in the same
 * transaction) or a read; then events carry it on. A watch is opened "from now", since one that starts at or below the
 * present is served by the server's 100 ms loop; `created` says from which revision R0 on it is complete, and only a view
 * at or above R0 may apply its events.
 */
export class LineView {
  readonly #line: Line;
  readonly #store: Store;
  readonly #runtime: Runtime;
  readonly #onIdle: () => void;
  readonly #waiters = new Set<Waiter>();
  readonly #kvs = new Map<string, KeyValue>();
  #revision = 0n;
  #state: LineState | undefined;
  #watch: Watch | undefined;
  #recheck: Timer | undefined;
  /** The watch delivers everything after this revision; undefined until it has said so. */
  #completeAfter: bigint | undefined;
  /** Events that cannot be applied yet, since the view is older than `#completeAfter`. */
  #early: (readonly [revision: bigint, events: readonly StoreEvent[]])[] = [];

  constructor(store: Store, runtime: Runtime, line: Line, onIdle: () => void) {
    this.#store = store;
    this.#runtime = runtime;
    this.#line = line;
    this.#onIdle = onIdle;
  }

  /**
   * Resolves once `look` returns true; it is shown the state now and after every change, oldest first, none twice.
   * Rejects with the signal's reason, or if the line cannot be followed any more (permission withdrawn, closed).
   *
   * @param base the line as an answer has just shown it
   */
  async until(base: LineState, look: (state: LineState) => boolean, signal: AbortSignal): Promise<void> {
    let waiter: Waiter | undefined;
    const onAbort = (): void => waiter?.reject(signal.reason);
    try {
      await new Promise<void>((resolve, reject) => {
        signal.throwIfAborted();
        waiter = {
          reject,
          look: (state) => {
            const isOver = look(state);
            if (isOver) resolve();
            return isOver;
          },
        };
        this.#waiters.add(waiter);
        signal.addEventListener('abort', onAbort, { once: true });
        if (!this.#adopt(base)) this.#show(waiter);
        this.#watch ??= this.#open();
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (waiter) this.#waiters.delete(waiter);
      if (this.#waiters.size === 0) this.#close();
    }
  }

  #show(waiter: Waiter): void {
    if (waiter.look(this.#now())) this.#waiters.delete(waiter);
  }

  #changed(): void {
    this.#state = undefined;
    for (const waiter of [...this.#waiters]) this.#show(waiter);
  }

  #now(): LineState {
    this.#state ??= this.#line.stateOf(this.#revision, [...this.#kvs.values()]);
    return this.#state;
  }

  /** Takes over a whole state if it is newer. @returns whether it was */
  #adopt({ revision, tickets, settings }: LineState): boolean {
    if (revision <= this.#revision) return false;
    this.#revision = revision;
    this.#kvs.clear();
    for (const kv of [...tickets, ...settings]) this.#kvs.set(text(kv.key), kv);
    this.#changed();
    this.#applyEarly();
    return true;
  }

  #open(): Watch {
    this.#completeAfter = undefined;
    this.#early = [];
    const watch: Watch = this.#store.listen(
      this.#line.range,
      {},
      {
        created: (revision) => {
          this.#completeAfter = revision;
          this.#runtime.probe('line.watching');
          if (this.#revision < revision) void this.#fill(watch, revision);
          else this.#applyEarly();
        },
        events: (revision, events) => {
          this.#early.push([revision, events]);
          this.#applyEarly();
        },
        ended: (error) => this.#broken(error),
      },
    );
    this.#recheckLater(watch);
    return watch;
  }

  #applyEarly(): void {
    if (this.#completeAfter === undefined || this.#revision < this.#completeAfter) return;
    for (const [revision, events] of this.#early.splice(0)) {
      if (revision <= this.#revision) continue;
      for (const { type, kv } of events) {
        if (type === 'delete') this.#kvs.delete(text(kv.key));
        else this.#kvs.set(text(kv.key), kv);
      }
      this.#revision = revision;
      this.#changed();
    }
  }

  /** Closes the gap between the view and the start of its watch by a read at exactly that revision. */
  async #fill(watch: Watch, revision: bigint): Promise<void> {
    const isCurrent = (): boolean => this.#watch === watch;
    try {
      const state = await retry(this.#runtime, () => this.#readAt(revision), {
        again: (error) => isCurrent() && isConclaveError(error, 'UNAVAILABLE'),
      });
      if (!isCurrent()) return;
      this.#runtime.probe('line.filled');
      this.#adopt(state);
    } catch (error) {
      if (isCurrent()) this.#fail(error);
    }
  }

  async #readAt(revision: bigint): Promise<LineState> {
    try {
      // Any member that has the revision will do; it either answers exactly or refuses.
      const { kvs } = await this.#store.get(this.#line.range, { revision, serializable: true });
      return this.#line.stateOf(revision, kvs);
    } catch (error) {
      if (error instanceof FutureRevisionError) {
        const { kvs } = await this.#store.get(this.#line.range, { revision });
        return this.#line.stateOf(revision, kvs);
      }
      if (!(error instanceof CompactedError)) throw error;
      const state = await this.#read();
      if (state.revision >= revision) return state;
      throw new UnavailableError(`a member answered from revision ${state.revision}, before ${revision}`);
    }
  }

  async #read(): Promise<LineState> {
    const { header, kvs } = await this.#store.get(this.#line.range);
    return this.#line.stateOf(header.revision, kvs);
  }

  /** Some etcd versions lose watch events (3.4.23 around compactions): now and then the line is read anyway. */
  #recheckLater(watch: Watch): void {
    this.#recheck?.cancel();
    this.#recheck = this.#runtime.setTimer(
      recheckMs,
      () => {
        this.#recheckLater(watch);
        this.#read().then(
          (state) => this.#watch === watch && this.#adopt(state),
          () => {}, // The next one will do.
        );
      },
      { background: true },
    );
  }

  #broken(error: ConclaveError): void {
    this.#watch = undefined;
    if (!(error instanceof CompactedError)) return this.#fail(error);
    // Nothing is lost but the changes in between: start from now, and read the line there.
    this.#runtime.probe('line.compacted');
    this.#watch = this.#open();
  }

  #fail(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }

  #close(): void {
    this.#recheck?.cancel();
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#onIdle();
  }
}

/** The views of a connection, each existing while somebody waits. */
export class LineViews {
  readonly #store: Store;
  readonly #runtime: Runtime;
  readonly #views = new Map<string, LineView>();

  constructor(store: Store, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
  }

  view(line: Line): LineView {
    const id = `${text(line.range.key)} ${text(line.range.end ?? new Uint8Array())}`;
    const existing = this.#views.get(id);
    if (existing) return existing;
    const view = new LineView(this.#store, this.#runtime, line, () => {
      // Two waiters that leave in one turn report idleness twice, and a newer view may stand here by then.
      if (this.#views.get(id) === view) this.#views.delete(id);
    });
    this.#views.set(id, view);
    return view;
  }
}

function text(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}
