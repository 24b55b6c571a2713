import { commonHelp, parse, wrongUsage } from './arguments.js';
import { exitStatus } from './failure.js';
import { open } from './opening.js';
import { describeHolder, printJson, printTable } from './printing.js';

const usage = 'conclave ls [OPTIONS]';

export const lsHelp: string = `Lists who holds what in a namespace, since when, with which fencing token, and how many wait.

Usage: ${usage}
${commonHelp}
`;

/** @returns the exit status */
export async function ls(args: readonly string[]): Promise<number> {
  const { store, isJson, positionals } = parse(args, {});
  if (positionals.length > 0) throw wrongUsage('ls takes no name; inspect does', usage);
  const conclave = await open(store);
  try {
    const rows: string[][] = [];
    for await (const entry of conclave.list()) {
      if (isJson) printJson(entry);
      for (const holder of entry.holders) {
        const who = [describeHolder(holder), holder.since ?? '', String(holder.fencingToken)];
        rows.push([entry.kind, entry.name, ...who, String(entry.waiters.length)]);
      }
    }
    if (!isJson) printTable(['KIND', 'NAME', 'HOLDER', 'SINCE', 'TOKEN', 'WAITERS'], rows);
    return exitStatus.ok;
  } finally {
    await conclave.close();
  }
}
