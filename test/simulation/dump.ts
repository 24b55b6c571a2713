import type { StoreEvent } from '../../src/store/results.js';
import type { World } from '../../src/testing/index.js';
import { prefix } from '../../src/index.js';
import type { Change } from '../history/record.js';

const decoder = new TextDecoder();

/** Everything that happens in the store of a world, as it happens. Seen by a watch that no fault hits. */
export class Dump {
  readonly changes: Change[] = [];
  readonly #world: World;
  readonly #onChange: (change: Change) => void;

  constructor(world: World, onChange: (change: Change) => void) {
    this.#world = world;
    this.#onChange = onChange;
    const stream = world.engine.watchStream({
      message: ({ events }) => events.forEach((event) => this.#add(event)),
      ended: () => {},
    });
    const range = prefix('');
    stream.send({ kind: 'create', watchId: 1n, range, startRevision: 1n, prevKv: false, exclude: [] });
  }

  #add({ type, kv }: StoreEvent): void {
    const key = decoder.decode(kv.key);
    if (key.startsWith('\0')) return; // of a compaction
    const change: Change = {
      revision: Number(kv.modRevision),
      at: this.#world.now(),
      type,
      key,
      value: decoder.decode(kv.value),
      createRevision: Number(kv.createRevision),
      version: Number(kv.version),
      lease: kv.lease.toString(16),
    };
    this.changes.push(change);
    this.#onChange(change);
  }
}
