import { outcome } from '../lock/observe.js';

/** Reads all that an iterator tells, in the background. */
export class Reader<T> {
  readonly seen: T[] = [];
  /** What it ended with; undefined if it was left. */
  readonly ended: Promise<unknown>;
  readonly #stop = new AbortController();

  constructor(open: (options: { signal: AbortSignal }) => AsyncIterable<T>) {
    this.ended = outcome(this.#read(open({ signal: this.#stop.signal })));
  }

  get last(): T | undefined {
    return this.seen.at(-1);
  }

  async stop(): Promise<unknown> {
    this.#stop.abort('enough');
    return this.ended;
  }

  async #read(told: AsyncIterable<T>): Promise<void> {
    for await (const item of told) this.seen.push(item);
  }
}
