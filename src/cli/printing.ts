import type { TicketInfo } from '../index.js';

/** One line. JSON has no exact place for large whole numbers: they are strings. */
export function printJson(value: unknown): void {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? String(part) : part,
  );
  process.stdout.write(`${text}\n`);
}

/** Columns as wide as what stands in them. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [header, ...rows.map((row) => row.map(harmless))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines) {
    const cells = line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    process.stdout.write(`${cells.join('  ').trimEnd()}\n`);
  }
}

/** Who it is, for people. */
export function describeHolder({ holder }: TicketInfo): string {
  if (!holder) return 'another program';
  const process = `${holder.host}:${holder.pid}`;
  return harmless(holder.name === process ? process : `${holder.name} (${process})`);
}

/** Names come from others. Control characters in them would speak to the terminal. */
function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}
