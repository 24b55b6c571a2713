import { raceSignal } from '../base/wait.js';

/**
 * What is told to all who read, each at its own pace: nobody is kept waiting for a slow one. A reader that is far behind
 * is spared the oldest of what waits for it, never the latest.
 */
export class Broadcast<T> {
  /** What a new reader is told first. */
  present: readonly T[] = [];
  readonly #most: number;
  readonly #readers = new Set<Reader<T>>();
  #end: { readonly reason: unknown } | undefined;

  /** @param most how many may wait for one reader */
  constructor(most: number) {
    this.#most = most;
  }

  /** @param present what those who come later are told first */
  send(item: T, present: readonly T[] = [item]): void {
    this.present = present;
    for (const reader of this.#readers) reader.tell(item, this.#most);
  }

  /** Those who read now are thrown this, after what waits for them. Those who come later are not. */
  fail(error: unknown): void {
    for (const reader of this.#readers) reader.end(error);
  }

  /** The same for all who come later. */
  end(reason: unknown): void {
    this.#end ??= { reason };
    this.fail(reason);
  }

  /** @throws the signal's reason, or what has ended it */
  async *read(signal: AbortSignal | undefined): AsyncGenerator<T, void, undefined> {
    if (this.#end) throw this.#end.reason;
    const reader = new Reader<T>(this.present);
    this.#readers.add(reader);
    try {
      while (true) yield await reader.next(signal);
    } finally {
      this.#readers.delete(reader);
    }
  }
}

class Reader<T> {
  readonly #waiting: T[];
  #end: { readonly reason: unknown } | undefined;
  #wake = (): void => {};

  constructor(present: readonly T[]) {
    this.#waiting = [...present];
  }

  tell(item: T, most: number): void {
    if (this.#end) return;
    this.#waiting.push(item);
    if (this.#waiting.length > most) this.#waiting.shift();
    this.#wake();
  }

  end(reason: unknown): void {
    this.#end ??= { reason };
    this.#wake();
  }

  async next(signal: AbortSignal | undefined): Promise<T> {
    while (true) {
      signal?.throwIfAborted();
      const [item] = this.#waiting;
      if (this.#waiting.length > 0) {
        this.#waiting.shift();
        return item as T;
      }
      if (this.#end) throw this.#end.reason;
      const told = new Promise<void>((resolve) => (this.#wake = resolve));
      await (signal ? raceSignal(told, signal) : told);
    }
  }
}
