import type { ListEntry } from '../index.js';
import { commonHelp, parse, wrongUsage } from './arguments.js';
import { exitStatus } from './failure.js';
import { kindHelp, parseKind, wordFor } from './kinds.js';
import { open } from './opening.js';
import { optionalColumns, printJson, printTable, ticketCells } from './printing.js';

const usage = 'conclave ls [--kind KIND] [OPTIONS]';

export const lsHelp: string = `Lists who holds what in a namespace, since when, with which fencing token, and how many wait.

Usage: ${usage}

${kindHelp} (default: every kind)
${commonHelp}
`;

/** @returns the exit status */
export async function ls(args: readonly string[]): Promise<number> {
  const { store, isJson, positionals, own } = parse(args, { kind: { type: 'string' } });
  if (positionals.length > 0) throw wrongUsage('ls takes no name; inspect does', usage);
  const kind = own['kind'] === undefined ? undefined : parseKind(String(own['kind']));
  const conclave = await open(store);
  try {
    const rows: (readonly string[])[] = [];
    for await (const entry of conclave.list({ ...(kind && { kind }) })) {
      if (isJson) printJson({ ...entry, kind: wordFor(entry.kind) });
      else rows.push(...rowsOf(entry));
    }
    const header = ['KIND', 'NAME', 'HOLDER', 'SINCE', 'TOKEN', ...optionalColumns, 'WAITERS'];
    if (!isJson) printTable(header, rows, optionalColumns);
    return exitStatus.ok;
  } finally {
    await conclave.close();
  }
}

/** One for each holder. If nobody holds, but some wait, that is worth a line, too. */
function rowsOf({ kind, name, holders, waiters }: ListEntry): (readonly string[])[] {
  const nobody = ['', '', '', ...optionalColumns.map(() => '')];
  const cells = holders.length > 0 ? holders.map(ticketCells) : [nobody];
  return cells.map((each) => [wordFor(kind), name, ...each, String(waiters.length)]);
}
