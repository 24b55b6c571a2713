/**
 * From callbacks to an async iterable, for one reader. Ends by throwing what `fail` was given, after everything pushed
 * before it; or the signal's reason, at once.
 */
export class Pipe<T extends object> implements AsyncIterable<T> {
  readonly #signal: AbortSignal | undefined;
  #items: T[] = [];
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** How many items nobody has taken yet. */
  get backlog(): number {
    return this.#items.length;
  }

  push(item: T): void {
    if (this.#failure) return;
    this.#items.push(item);
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    const onAbort = (): void => this.fail(this.#signal?.reason);
    if (this.#signal?.aborted) onAbort();
    this.#signal?.addEventListener('abort', onAbort, { once: true });
    try {
      while (true) {
        // An abort does not wait for a slow reader.
        if (this.#signal?.aborted) throw this.#signal.reason;
        const item = this.#items.shift();
        if (item) {
          yield item;
        } else if (this.#failure) {
          throw this.#failure.error;
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      }
    } finally {
      this.#signal?.removeEventListener('abort', onAbort);
    }
  }
}
