/**
 * What a run leaves: what its clients called and were told (`Entry`), and everything that the store went through
 * (`Change`). A simulation keeps both in memory; a run on a real cluster writes them to files, line by line, so that a
 * client that is killed has written all it knew. Checkers read nothing else.
 *
 * Times are milliseconds of one clock that never goes back: virtual, or CLOCK_MONOTONIC of the one machine that all
 * processes share. Revisions and fencing tokens are numbers: no run gets near 2^53.
 */
export type Entry = Invocation | Return | Note;

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };
export type Facts = Readonly<Record<string, Json | undefined>>;

/** A client calls the library. One that is not followed by its return was cut short: its process was killed. */
export interface Invocation {
  readonly kind: 'invoke';
  readonly at: number;
  readonly client: string;
  /** Of this call; unique among the calls of all clients. */
  readonly id: string;
  /** Such as 'acquire'; each workload says which there are. */
  readonly call: string;
  /** What it is about: the name of a lock, a queue. */
  readonly on: string;
  readonly input: Facts;
}

/** What became of it. */
export interface Return {
  readonly kind: 'return';
  readonly at: number;
  readonly id: string;
  /**
   * - `ok`: it took effect, and `output` tells how.
   * - `no`: it surely took no effect, and never will.
   * - `unknown`: it may have taken effect, or do so at any later time.
   */
  readonly outcome: 'ok' | 'no' | 'unknown';
  readonly output: Facts;
  /** The code of the error, unless ok. */
  readonly error?: string;
}

/** A client was told something without asking: a loss, a value of an election. */
export interface Note {
  readonly kind: 'note';
  readonly at: number;
  readonly client: string;
  readonly what: string;
  readonly on: string;
  readonly facts: Facts;
}

/** One event of the store. Those of one transaction have the same revision. */
export interface Change {
  readonly revision: number;
  /** When it was seen: in a simulation when it happened, on a real cluster somewhat later. */
  readonly at: number;
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** Empty in a delete. */
  readonly value: string;
  /** Of the key; 0 in a delete. */
  readonly createRevision: number;
  /** 1 in the put that created the key; 0 in a delete. */
  readonly version: number;
  /** 0 if none. */
  readonly lease: string;
}

/** A call with what became of it. */
export interface Operation extends Omit<Invocation, 'kind' | 'at'> {
  readonly invokedAt: number;
  /** Infinity if it never returned, or may take effect at any later time. */
  readonly returnedAt: number;
  /** A call that never returned is `unknown`. */
  readonly outcome: Return['outcome'];
  readonly output: Facts;
  readonly error: string | undefined;
}

/** Something that must not be. */
export interface Violation {
  /** The invariant, such as I1, or the name of a model. */
  readonly rule: string;
  /** For people: what happened, with the revisions and clients that show it. */
  readonly what: string;
}

/** The calls of a history, in the order in which they were made. */
export function operationsOf(entries: readonly Entry[]): Operation[] {
  const returns = new Map<string, Return>();
  for (const entry of entries) if (entry.kind === 'return') returns.set(entry.id, entry);
  return entries.flatMap((entry) => {
    if (entry.kind !== 'invoke') return [];
    const { at: invokedAt, client, id, call, on, input } = entry;
    const end = returns.get(id);
    const outcome = end?.outcome ?? 'unknown';
    const returnedAt = end === undefined || outcome === 'unknown' ? Infinity : end.at;
    const output = end?.output ?? {};
    return [{ client, id, call, on, input, invokedAt, returnedAt, outcome, output, error: end?.error }];
  });
}

export function notesOf(entries: readonly Entry[]): Note[] {
  return entries.filter((entry) => entry.kind === 'note');
}
