import type { LineKind, Place } from '../index.js';
import { commonHelp, nameOf, parse, parsePlace } from './arguments.js';
import { exitStatus } from './failure.js';
import { allKinds, kindHelp, parseKind, wordFor } from './kinds.js';
import { open } from './opening.js';
import { harmless, optionalColumns, printJson, printTable, ticketCells } from './printing.js';
import { isUsed, type Standing, standing } from './standing.js';

const usage = 'conclave inspect NAME [--kind KIND] [OPTIONS]';

export const inspectHelp: string = `Shows who holds what is called NAME, and who waits for it, in the order in which they will get it.

Usage: ${usage}

${kindHelp} (default: every kind in which somebody stands)
  --path PREFIX         instead of NAME: a raw etcd prefix; of a mutex unless --kind says otherwise
${commonHelp}
`;

/** @returns the exit status: 0 also if it is free */
export async function inspect(args: readonly string[]): Promise<number> {
  const parsed = parse(args, { path: { type: 'string' }, kind: { type: 'string' } });
  const place = parsePlace(parsed, usage);
  const kinds = kindsOf(place, parsed.own['kind']);
  const conclave = await open(parsed.store);
  try {
    const all = await Promise.all(kinds.map((kind) => standing(conclave, kind, place)));
    const shown = kinds.length === 1 ? all : all.filter(isUsed);
    if (parsed.isJson) printAsJson(shown, place);
    else printAsText(shown, place);
    return exitStatus.ok;
  } finally {
    await conclave.close();
  }
}

/** A path does not tell what it is used as: the tickets of most kinds stand at the same place below it. */
function kindsOf(place: Place, kind: string | boolean | undefined): readonly LineKind[] {
  if (kind !== undefined) return [parseKind(String(kind))];
  return typeof place === 'string' ? allKinds : ['mutex'];
}

/** An object for each kind; one without a kind if nobody stands in any. */
function printAsJson(shown: readonly Standing[], place: Place): void {
  const named = typeof place === 'string' ? { name: place } : place;
  for (const { kind, ...state } of shown) printJson({ kind: wordFor(kind), ...named, ...state });
  if (shown.length === 0) printJson({ ...named, holders: [], waiters: [] });
}

function printAsText(shown: readonly Standing[], place: Place): void {
  for (const each of shown) {
    const { holders, waiters } = each;
    process.stdout.write(`${wordFor(each.kind)} ${harmless(nameOf(place))}${describePermits(each)}\n`);
    if (!isUsed(each)) process.stdout.write('free\n');
    else {
      const rows = [
        ...holders.map((ticket) => ['holds', ...ticketCells(ticket), ticket.key]),
        ...waiters.map((ticket, i) => [String(i + 1), ...ticketCells(ticket), ticket.key]),
      ];
      printTable(['PLACE', 'WHO', 'SINCE', 'TOKEN', ...optionalColumns, 'KEY'], rows, optionalColumns);
    }
  }
  if (shown.length === 0) process.stdout.write('free\n');
}

function describePermits({ limit, used, isOverLimit }: Standing): string {
  if (limit === undefined) return '';
  if (limit === null) return ': no limit yet';
  const taken = used === Infinity ? 'all' : used;
  return `: ${taken} of ${limit} permits taken${isOverLimit ? ', over limit' : ''}`;
}
