import type { StoreEvent } from '../../src/store/results.js';
import type { World } from '../../src/testing/index.js';
import { prefix } from '../../src/index.js';
import type { Change } from '../history/record.js';

const decoder = new TextDecoder();

/** Told of each change, with those that came together with it: whole transactions. */
export type OnChange = (change: Change, together: readonly Change[]) => void;

/** Everything that happens in the store of a world, as it happens. Seen by a watch that no fault hits. */
export class Dump {
  readonly changes: Change[] = [];
  readonly #world: World;
  readonly #onChange: OnChange;

  constructor(world: World, onChange: OnChange) {
    this.#world = world;
    this.#onChange = onChange;
    const stream = world.engine.watchStream({
      message: ({ events }) => this.#add(events.map((event) => this.#changeOf(event))),
      ended: () => {},
    });
    const range = prefix('');
    stream.send({ kind: 'create', watchId: 1n, range, startRevision: 1n, prevKv: false, exclude: [] });
  }

  #add(changes: readonly Change[]): void {
    const told = changes.filter(({ key }) => !key.startsWith('\0')); // of a compaction
    this.changes.push(...told);
    for (const change of told) this.#onChange(change, told);
  }

  #changeOf({ type, kv }: StoreEvent): Change {
    return {
      revision: Number(kv.modRevision),
      at: this.#world.now(),
      type,
      key: decoder.decode(kv.key),
      value: decoder.decode(kv.value),
      createRevision: Number(kv.createRevision),
      version: Number(kv.version),
      lease: kv.lease.toString(16),
    };
  }
}
