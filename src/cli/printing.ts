import type { Candidate, Holder, TicketInfo } from '../index.js';

/** One line. JSON has no exact place for large whole numbers: they are strings. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? String(part) : part,
  );
  process.stdout.write(`${text}\n`);
}

/** Columns as wide as what stands in them. The `optional` ones are left out if nobody has anything for them. */
export function printTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  optional: readonly string[] = [],
): void {
  const lines = [header, ...rows.map((row) => row.map(harmless))];
  const columns = header.flatMap((title, column) => {
    const isShown = !optional.includes(title) || rows.some((row) => row[column] !== '');
    const width = Math.max(...lines.map((line) => line[column]?.length ?? 0));
    return isShown ? [{ column, width }] : [];
  });
  for (const line of lines) {
    const cells = columns.map(({ column, width }) => (line[column] ?? '').padEnd(width));
    process.stdout.write(`${cells.join('  ').trimEnd()}\n`);
  }
}

/** What tickets of some kinds have. */
export const optionalColumns: readonly string[] = ['MODE', 'PERMITS', 'VALUE', 'PRIORITY'];

/** Of a ticket: who, SINCE, TOKEN, and the optional columns. */
export function ticketCells(ticket: TicketInfo | Candidate): readonly string[] {
  const { since = '', fencingToken, mode = '', permits = '' } = ticket;
  const { value = '', priority = '' } = 'value' in ticket ? ticket : {};
  return [
    describeHolder(ticket),
    since,
    String(fencingToken),
    mode,
    String(permits),
    value,
    String(priority),
  ];
}

/** Who it is, for people. */
export function describeHolder({ holder }: TicketInfo): string {
  return nameHolder(holder);
}

/** The same, of whatever has a holder. */
export function nameHolder(holder: Holder | undefined): string {
  if (!holder) return 'another program';
  const process = `${holder.host}:${holder.pid}`;
  return harmless(holder.name === process ? process : `${holder.name} (${process})`);
}

/** Names come from others. Control characters in them would speak to the terminal. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}
