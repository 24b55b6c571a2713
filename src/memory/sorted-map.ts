/** More entries than this split a chunk: large enough for few chunks, small enough for cheap insertions. */
const maxChunkLength = 512;

interface Entry<Value> {
  readonly key: string;
  readonly value: Value;
}

/**
 * A map that can be walked in key order from any key on: a sorted array cut into chunks. Finding a place costs two
 * binary searches, an insertion moves at most one chunk's entries, and k entries are walked in O(k). Against a balanced
 * tree: as fast for 100,000 keys, a third of the code, and no randomness.
 */
export class SortedMap<Value> {
  /** No chunk is empty. */
  readonly #chunks: Entry<Value>[][] = [];

  get(key: string): Value | undefined {
    const chunk = this.#chunks[this.#chunkFor(key)];
    const entry = chunk?.[placeIn(chunk, key)];
    return entry?.key === key ? entry.value : undefined;
  }

  set(key: string, value: Value): void {
    // A key beyond the last one goes to the last chunk's end.
    const index = Math.max(0, Math.min(this.#chunkFor(key), this.#chunks.length - 1));
    const chunk = this.#chunks[index];
    if (chunk === undefined) {
      this.#chunks.push([{ key, value }]);
      return;
    }
    const place = placeIn(chunk, key);
    chunk.splice(place, chunk[place]?.key === key ? 1 : 0, { key, value });
    if (chunk.length > maxChunkLength) this.#chunks.splice(index + 1, 0, chunk.splice(maxChunkLength / 2));
  }

  delete(key: string): void {
    const index = this.#chunkFor(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return;
    const place = placeIn(chunk, key);
    if (chunk[place]?.key !== key) return;
    chunk.splice(place, 1);
    if (chunk.length === 0) this.#chunks.splice(index, 1);
  }

  /** The values of all keys from `first` up to but without `end`, in key order. The map must not change meanwhile. */
  *walk(first: string, end: string | undefined): Generator<Value> {
    const startChunk = this.#chunkFor(first);
    for (let index = startChunk; index < this.#chunks.length; index++) {
      const chunk = this.#chunks[index] ?? [];
      for (let place = index === startChunk ? placeIn(chunk, first) : 0; place < chunk.length; place++) {
        const entry = chunk[place];
        if (entry === undefined || (end !== undefined && entry.key >= end)) return;
        yield entry.value;
      }
    }
  }

  /** The first chunk that reaches up to the key: the only one that can hold it. */
  #chunkFor(key: string): number {
    return firstIndex(this.#chunks, (chunk) => (chunk.at(-1)?.key ?? '') >= key);
  }
}

function placeIn(chunk: readonly Entry<unknown>[], key: string): number {
  return firstIndex(chunk, (entry) => entry.key >= key);
}

/** Binary search: the first index whose item has `reached` what is sought; all items after it must have, too. */
export function firstIndex<Item>(items: readonly Item[], reached: (item: Item) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item === undefined || reached(item)) high = middle;
    else low = middle + 1;
  }
  return low;
}
