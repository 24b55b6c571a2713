import { createHash } from 'node:crypto';

/** How many of the latest lines are kept for people to read. */
const linesKept = 200;

/**
 * What happened, line by line, and a hash over all of it: two runs with the same hash sent and delivered the same things
 * in the same order at the same times.
 */
export class Trace {
  readonly #hash = createHash('sha256');
  readonly #now: () => number;
  #lines: string[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The latest lines, oldest first. */
  get tail(): readonly string[] {
    return this.#lines.slice(-linesKept);
  }

  get hash(): string {
    return this.#hash.copy().digest('hex');
  }

  add(...words: readonly unknown[]): void {
    const line = `${this.#now()} ${words.map(wordOf).join(' ')}`;
    this.#hash.update(line).update('\n');
    this.#lines.push(line);
    if (this.#lines.length >= 2 * linesKept) this.#lines = this.#lines.slice(-linesKept);
  }
}

function wordOf(word: unknown): string {
  return typeof word === 'string' ? word : JSON.stringify(word, readable);
}

function readable(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
}
