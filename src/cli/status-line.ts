/** A stream that may be a terminal. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * A line at the bottom of a terminal that is written again and again. Nothing at all where no terminal is attached: a log
 * has no use for it.
 *
 * What others print meanwhile goes over it, from the first column on.
 */
export class StatusLine implements Disposable {
  readonly #terminal: Terminal;
  #shown = '';

  constructor(terminal: Terminal = process.stderr) {
    this.#terminal = terminal;
  }

  show(text: string): void {
    const { isTTY, columns = 80 } = this.#terminal;
    if (!isTTY) return;
    const line = text.slice(0, Math.max(0, columns - 1));
    if (line === this.#shown) return;
    this.#shown = line;
    this.#terminal.write(`\r${line}\x1b[K\r`);
  }

  /** What is printed next stands in its place. */
  clear(): void {
    if (this.#shown === '') return;
    this.#shown = '';
    this.#terminal.write('\r\x1b[K');
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}

const width = 24;

/** `[########                ]  33 %  4 of 12 jobs`; without a total just `4 jobs`. */
export function progressBar(done: number, total: number | undefined, noun: string): string {
  if (total === undefined) return `${done} ${noun}`;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.floor(share * width);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${'#'.repeat(filled).padEnd(width)}] ${percent} %  ${done} of ${total} ${noun}`;
}
