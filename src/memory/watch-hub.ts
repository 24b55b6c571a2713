import type { Change } from './key-history.js';
import type { Watcher } from './watcher.js';

/** Brings each new revision to the watchers that want it. Watchers of one key, the most frequent kind, are found by it. */
export class WatchHub {
  readonly #byKey = new Map<string, Set<Watcher>>();
  readonly #ofRanges = new Set<Watcher>();

  add(watcher: Watcher): void {
    const key = watcher.onlyKey;
    if (key === undefined) {
      this.#ofRanges.add(watcher);
      return;
    }
    const watchers = this.#byKey.get(key) ?? new Set();
    this.#byKey.set(key, watchers.add(watcher));
  }

  remove(watcher: Watcher): void {
    this.#ofRanges.delete(watcher);
    const key = watcher.onlyKey;
    if (key === undefined) return;
    const watchers = this.#byKey.get(key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#byKey.delete(key);
  }

  /** Delivers the changes of one revision: all that a watcher wants of them at once. */
  publish(changes: readonly Change[], revision: bigint): void {
    const wanted = new Map<Watcher, Change[]>();
    for (const change of changes) {
      for (const watcher of [...(this.#byKey.get(change.key) ?? []), ...this.#ofRanges]) {
        if (!watcher.wants(change)) continue;
        const batch = wanted.get(watcher);
        if (batch === undefined) wanted.set(watcher, [change]);
        else batch.push(change);
      }
    }
    for (const [watcher, batch] of wanted) watcher.accept(batch, revision);
  }
}
