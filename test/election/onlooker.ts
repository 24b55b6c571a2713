import { expect, vi } from 'vitest';

import type { Election, Observation } from '../../src/election/election.js';
import { patience } from '../rig/patience.js';

/** Reads all that an election's observers are told, on a real etcd. */
export class Onlooker implements AsyncDisposable {
  readonly seen: Observation[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(election: Election) {
    this.#ended = this.#read(election);
    this.#ended.catch(() => {}); // told by dispose
  }

  /** What the leaders stood for, as told. */
  get values(): readonly (string | undefined)[] {
    return this.seen.map(({ leader }) => leader?.value);
  }

  /** Resolves when this is the last that was told. */
  async until(value: string | undefined, timeout: number = patience.timeout): Promise<void> {
    await vi.waitFor(
      () => {
        expect(this.seen).not.toEqual([]);
        expect(this.values.at(-1)).toBe(value);
      },
      { ...patience, timeout },
    );
  }

  /** Stops. @throws what it ended with before */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(this.#stop);
    await this.#ended.catch((error: unknown) => {
      if (error !== this.#stop) throw error;
    });
  }

  async #read(election: Election): Promise<void> {
    for await (const observation of election.observe({ signal: this.#stop.signal }))
      this.seen.push(observation);
  }
}

/** Resolves when candidates stand for these values, in this order: the leader's is the first. */
export async function untilLineUp(election: Election, ...values: readonly string[]): Promise<void> {
  await vi.waitFor(
    async () => expect((await election.candidates()).map(({ value }) => value)).toEqual(values),
    patience,
  );
}
