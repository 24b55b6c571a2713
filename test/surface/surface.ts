import { connect, type Conclave, type GetResult, type KeyRange, prefix, toText } from '../../src/index.js';
import type { Store } from '../../src/index.js';
import type { Backend } from './backend.js';

/** A client of the store under test, and keys of their own for each test. */
export class Surface {
  #backend: Backend | undefined;
  #conclave: Conclave | undefined;
  #tests = 0;

  async open(start: () => Promise<Backend>): Promise<void> {
    this.#backend = await start();
    this.#conclave = await this.connect();
  }

  async close(): Promise<void> {
    await this.#conclave?.close();
    await this.#backend?.[Symbol.asyncDispose]();
  }

  /** Before each test. */
  begin(): void {
    this.#tests += 1;
  }

  /** Another client. */
  connect(): Promise<Conclave> {
    return connect({ endpoints: this.backend.endpoints, sessionTtlMs: 5_000 });
  }

  get backend(): Backend {
    if (!this.#backend) throw new Error('not open');
    return this.#backend;
  }

  get conclave(): Conclave {
    if (!this.#conclave) throw new Error('not open');
    return this.#conclave;
  }

  get store(): Store {
    return this.conclave.store;
  }

  /** A key of this test. */
  at(key: string): string {
    return `/surface/${this.#tests}/${key}`;
  }

  /** All keys of this test. */
  get all(): KeyRange {
    return prefix(this.at(''));
  }

  /** A key without what only tells the tests apart. */
  bare(key: Uint8Array): string {
    return toText(key).replace(this.at(''), '');
  }

  keys({ kvs }: GetResult): string[] {
    return kvs.map(({ key }) => this.bare(key));
  }

  pairs({ kvs }: GetResult): string[] {
    return kvs.map(({ key, value }) => `${this.bare(key)}=${toText(value)}`);
  }

  /** Puts them one after the other; resolves with the revision of each. */
  async putAll(entries: Readonly<Record<string, string>>): Promise<bigint[]> {
    const revisions: bigint[] = [];
    for (const [key, value] of Object.entries(entries))
      revisions.push((await this.store.put(this.at(key), value)).header.revision);
    return revisions;
  }
}
