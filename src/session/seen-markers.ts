/**
 * Which markers of lock delays this process has found without their holder, and since when: whoever gives up before the
 * delay is over, and tries again, does not begin anew. As many as there are lines whose holders have crashed.
 */
export class SeenMarkers {
  readonly #seen = new Map<string, Sight>();

  /** @returns when, by the monotonic clock, this very marker was first seen */
  since(key: string, modRevision: bigint, now: number): number {
    const earlier = this.#seen.get(key);
    if (earlier?.modRevision === modRevision) return earlier.at;
    this.#seen.set(key, { modRevision, at: now });
    return now;
  }

  /** It has been overwritten. */
  forget(key: string): void {
    this.#seen.delete(key);
  }
}

interface Sight {
  /** Never used again for another marker. */
  readonly modRevision: bigint;
  readonly at: number;
}
