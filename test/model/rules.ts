import type { Line, Ticket } from './want.js';

/**
 * The rules once more, as a reader of the documentation would write them down, and not one line of the library's. What
 * they judge is the store's history.
 */
export interface ModelRule {
  /** May this ticket of the line pass? */
  readonly mayPass: (line: Pick<Line, 'tickets' | 'limit'>, mine: Ticket) => boolean;
  /** May all of these hold at once, if the last of them was let pass under this limit? */
  readonly mayHoldTogether: (holders: readonly Ticket[], limit: number | undefined) => boolean;
}

export const oneAtATime: ModelRule = {
  mayPass: ({ tickets }, mine) => tickets[0]?.key === mine.key,
  mayHoldTogether: (holders) => holders.length <= 1,
};

export const readersTogether: ModelRule = {
  mayPass: ({ tickets }, mine) => {
    if (tickets[0]?.key === mine.key) return true;
    const firstWriter = tickets.find(({ mode }) => mode === 'write');
    return mine.mode === 'read' && (!firstWriter || isBefore(mine, firstWriter));
  },
  mayHoldTogether: (holders) => holders.length <= 1 || holders.every(({ mode }) => mode === 'read'),
};

export const asManyAsFit: ModelRule = {
  mayPass: ({ tickets, limit = 0 }, mine) => {
    const upToMine = tickets.filter((each) => each.key === mine.key || isBefore(each, mine));
    return sumOf(upToMine) <= limit;
  },
  mayHoldTogether: (holders, limit = 0) => sumOf(holders) <= limit,
};

function sumOf(tickets: readonly Ticket[]): number {
  return tickets.reduce((sum, { permits }) => sum + permits, 0);
}

/** The order of a line. */
export function isBefore(a: Ticket, b: Ticket): boolean {
  return a.create < b.create || (a.create === b.create && a.key < b.key);
}
