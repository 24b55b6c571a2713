interface Span {
  readonly from: bigint;
  to: bigint;
}

const never = 2n ** 63n;

/** What was so at which revisions of the store, and what has happened at which: to be held against what callers were told. */
export class Chronicle {
  readonly #spans = new Map<string, Span[]>();
  readonly #moments = new Map<string, bigint[]>();

  /** From this revision on it is so, or not. The same again changes nothing. */
  set(what: string, isSo: boolean, revision: bigint): void {
    const spans = this.#spans.get(what) ?? [];
    this.#spans.set(what, spans);
    const last = spans.at(-1);
    const wasSo = last?.to === never;
    if (isSo && !wasSo) spans.push({ from: revision, to: never });
    if (!isSo && last && wasSo) last.to = revision;
  }

  happens(what: string, revision: bigint): void {
    this.#moments.set(what, [...(this.#moments.get(what) ?? []), revision]);
  }

  /** It was so at each revision from one to another, both included. */
  throughout(what: string, from: bigint, to: bigint): boolean {
    return this.#of(what).some((span) => span.from <= from && to < span.to);
  }

  /** It was so at one of the revisions. */
  atAll(what: string, from: bigint, to: bigint): boolean {
    return this.#of(what).some((span) => span.from <= to && from < span.to);
  }

  /** After a revision, and up to another. */
  happened(what: string, after: bigint, upTo: bigint): boolean {
    return (this.#moments.get(what) ?? []).some((at) => after < at && at <= upTo);
  }

  /** What begins so, and is so. */
  all(start: string): readonly string[] {
    return [...this.#spans.keys()].filter((what) => what.startsWith(start));
  }

  #of(what: string): readonly Span[] {
    return this.#spans.get(what) ?? [];
  }
}
