import { createHash } from 'node:crypto';

/** How many of the latest lines are kept for people to read. */
const linesKept = 200;

/**
 * What happened, line by line, and a hash over all of it: two runs with the same hash sent and delivered the same things
 * in the same order at the same times.
 */
export class Trace {
  readonly #hash = createHash('sha256');
  readonly #now: (() => number) | undefined;
  #lines: string[] = [];

  /** @param now undefined: nothing is kept */
  constructor(now: (() => number) | undefined) {
    this.#now = now;
  }

  get isOn(): boolean {
    return this.#now !== undefined;
  }

  /** The latest lines, oldest first. */
  get tail(): readonly string[] {
    return this.#lines.slice(-linesKept);
  }

  get hash(): string {
    return this.#hash.copy().digest('hex');
  }

  add(...words: readonly unknown[]): void {
    if (this.#now === undefined) return;
    const line = `${this.#now()} ${words.map(wordOf).join(' ')}`;
    this.#hash.update(`${line}\n`);
    this.#lines.push(line);
    if (this.#lines.length >= 2 * linesKept) this.#lines = this.#lines.slice(-linesKept);
  }
}

/** By hand: this is done for everything that is sent, and JSON.stringify with a replacer takes more than twice as long. */
function wordOf(word: unknown): string {
  if (typeof word !== 'object' || word === null) return String(word);
  if (word instanceof Uint8Array)
    return Buffer.from(word.buffer, word.byteOffset, word.length).toString('latin1');
  let text = '';
  if (Array.isArray(word)) {
    for (const each of word) text += `${wordOf(each)},`;
    return `[${text}]`;
  }
  for (const name of Object.keys(word)) text += `${name}:${wordOf((word as Record<string, unknown>)[name])},`;
  return `{${text}}`;
}
