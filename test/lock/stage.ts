import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { systemRuntime } from '../../src/base/runtime.js';
import { Conclave } from '../../src/conclave.js';
import type { Place } from '../../src/index.js';
import { prefix } from '../../src/store/operations.js';
import type { Backend } from '../store/contract.js';
import { patience } from '../rig/patience.js';

/** So long that none of them ends within a test. */
const sessionTtlMs = 60_000;

/** A store, and processes on it, as far as a lock can tell: each a connection and a session. */
export class Stage {
  readonly #start: () => Promise<Backend>;
  #backend: Backend | undefined;
  readonly #opened: Conclave[] = [];

  /** Made before the tests of the present `describe`, and gone after them. */
  static on(start: () => Promise<Backend>): Stage {
    const stage = new Stage(start);
    beforeAll(() => stage.#open());
    afterAll(() => stage.#close());
    return stage;
  }

  private constructor(start: () => Promise<Backend>) {
    this.#start = start;
  }

  get one(): Conclave {
    return this.#opened[0]!;
  }

  get other(): Conclave {
    return this.#opened[1]!;
  }

  /** One more, for tests that close theirs. */
  another(): Conclave {
    const conclave = Conclave.over(this.#backend!.transport(), { runtime: systemRuntime, sessionTtlMs });
    this.#opened.push(conclave);
    return conclave;
  }

  async keysBelow(start: string): Promise<string[]> {
    const { kvs } = await this.one.store.get(prefix(start));
    return kvs.map(({ key }) => Buffer.from(key).toString());
  }

  async #open(): Promise<void> {
    this.#backend = await this.#start();
    this.another();
    this.another();
  }

  async #close(): Promise<void> {
    await Promise.all(this.#opened.map((conclave) => conclave.close()));
    await this.#backend?.[Symbol.asyncDispose]();
  }
}

/** Where a lock can be: each call gives one that nobody has used. */
export const places: readonly (readonly [string, () => Place])[] = [
  ['with a name', () => `a/${randomUUID()}`],
  ['with a path', () => ({ path: `/shared/${randomUUID()}` })],
];

/** Resolves once `count` says so. */
export async function until(count: () => Promise<number>, wanted: number): Promise<void> {
  await vi.waitFor(async () => expect(await count()).toBe(wanted), patience);
}

/** Notes in which order promises resolve. */
export class Order {
  readonly seen: string[] = [];

  note<T>(what: string, promise: Promise<T>): Promise<T> {
    promise.then(
      () => this.seen.push(what),
      () => {},
    );
    return promise;
  }
}
