/** What a client wants: a place in a line, or in several at once. Each kind of line has its own wishes. */
export interface Want {
  readonly names: readonly string[];
  /** Read/write lock. */
  readonly mode?: 'read' | 'write';
  /** Semaphore. */
  readonly permits?: number;
  /** Semaphore: the limit that the program names. */
  readonly limit?: number | undefined;
  /** Election. */
  readonly priority?: number | undefined;
}

/** What a ticket in the store says. */
export interface Ticket {
  readonly key: string;
  readonly line: string;
  /** The last part of its key: the same in every line of a multi-lock. */
  readonly name: string;
  readonly create: bigint;
  readonly mod: bigint;
  readonly lease: bigint;
  readonly mode: 'read' | 'write';
  readonly permits: number;
  readonly value: string;
}

/** A line at one revision: oldest ticket first. */
export interface Line {
  readonly tickets: readonly Ticket[];
  /** Of a semaphore. */
  readonly limit: number | undefined;
  /** When it was set. */
  readonly limitMod: bigint | undefined;
}

export const emptyLine: Line = { tickets: [], limit: undefined, limitMod: undefined };

/** For messages. */
export function describeTicket({ key, create }: Pick<Ticket, 'key' | 'create'>): string {
  return `${key} (token ${create})`;
}
