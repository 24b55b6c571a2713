import { commonHelp, parse, parsePlace } from './arguments.js';
import { exitStatus } from './failure.js';
import { mutexAt, open } from './opening.js';
import { describeHolder, printJson, printTable } from './printing.js';

const usage = 'conclave inspect NAME [OPTIONS]';

export const inspectHelp: string = `Shows who holds a lock and who waits for it, in the order in which they will get it.

Usage: ${usage}

  --path PREFIX         instead of NAME: a raw etcd prefix
${commonHelp}
`;

/** @returns the exit status: 0 also if it is free */
export async function inspect(args: readonly string[]): Promise<number> {
  const parsed = parse(args, { path: { type: 'string' } });
  const place = parsePlace(parsed, usage);
  const conclave = await open(parsed.store);
  try {
    const { revision, holder, waiters } = await mutexAt(conclave, place).inspect();
    const named = typeof place === 'string' ? { name: place } : place;
    if (parsed.isJson) printJson({ kind: 'mutex', ...named, revision, holder: holder ?? null, waiters });
    else {
      const tickets = holder ? [holder, ...waiters] : [];
      const rows = tickets.map((ticket, place) => [
        place === 0 ? 'holds' : String(place),
        describeHolder(ticket),
        ticket.since ?? '',
        String(ticket.fencingToken),
        ticket.key,
      ]);
      if (rows.length > 0) printTable(['PLACE', 'WHO', 'SINCE', 'TOKEN', 'KEY'], rows);
      else process.stdout.write('free\n');
    }
    return exitStatus.ok;
  } finally {
    await conclave.close();
  }
}
