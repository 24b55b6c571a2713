import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';

import { asset } from './assets.js';
import type { Counts, Quality } from './links.js';
import type { Namespaces } from './namespaces.js';
import type { Link } from './node.js';

export interface ShapedLink {
  readonly link: Link;
  readonly quality: Quality;
}

/**
 * Delays, loses and doubles packets of single links (shaper.py): not every kernel has `netem`. The bridge must drop what
 * goes this way. It ends with this process.
 */
export class Shaper implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #namespaces: Namespaces;
  #errors = '';
  /** Of the packets since it has begun, as of its last word. */
  counts: Counts = { forwarded: 0, dropped: 0, duplicated: 0 };

  private constructor(namespaces: Namespaces, seed: number) {
    this.#namespaces = namespaces;
    const ports = namespaces.nodes.map((node) => `p-${node}`);
    const words = [
      ...namespaces.enter('switch'),
      'python3',
      '-I',
      asset('shaper.py'),
      String(seed),
      ...ports,
    ];
    const [program = '', ...args] = words;
    this.#process = spawn(program, args, { stdio: 'pipe' });
    this.#process.stdin?.on('error', () => {}); // it has ended: whoever waits for its answer hears that
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    this.#lines = createInterface({ input: this.#process.stdout! });
    this.#lines.on('line', (line) => (this.counts = JSON.parse(line) as Counts));
  }

  static async start(namespaces: Namespaces, seed: number): Promise<Shaper> {
    const shaper = new Shaper(namespaces, seed);
    await shaper.shape([]);
    return shaper;
  }

  /** Resolves when these links, and no others, are as bad as this. */
  async shape(links: readonly ShapedLink[]): Promise<void> {
    const rules = links.map(({ link, quality }) => {
      const { delayMs = 0, jitterMs = 0, loss = 0, duplicates = 0 } = quality;
      const ends = [link.from, link.to].map((node) => this.#namespaces.nodes.indexOf(node));
      return [...ends, delayMs, jitterMs, loss, duplicates];
    });
    const ended = once(this.#process, 'close').then(() => {
      throw new Error(`the shaper has ended\n${this.#errors}`);
    });
    ended.catch(() => {}); // it ends some day
    const answered = once(this.#lines, 'line');
    this.#process.stdin?.write(`${JSON.stringify(rules)}\n`);
    await Promise.race([answered, ended]);
  }

  /** Sends what is still on its way. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'close');
    this.#process.stdin?.end();
    await gone;
  }
}
