import type { Group, GroupChange } from '../../src/index.js';
import { outcome } from '../lock/observe.js';

/** Adds up what a watch tells. */
export class Watcher {
  readonly changes: GroupChange[] = [];
  readonly ended: Promise<unknown>;
  readonly #stop = new AbortController();

  constructor(group: Group) {
    this.ended = outcome(this.#read(group));
  }

  get last(): GroupChange | undefined {
    return this.changes.at(-1);
  }

  /** Each change in a word. */
  get story(): string[] {
    return this.changes.map(({ joined, updated, left }) =>
      [
        ...joined.map(({ id, value }) => `+${id}=${value}`),
        ...updated.map(({ id, value }) => `~${id}=${value}`),
        ...left.map(({ id }) => `-${id}`),
      ].join(' '),
    );
  }

  async stop(): Promise<unknown> {
    this.#stop.abort('enough');
    return this.ended;
  }

  async #read(group: Group): Promise<void> {
    for await (const change of group.watch({ signal: this.#stop.signal })) this.changes.push(change);
  }
}
