import type { Conclave, Place } from '../index.js';
import { commonHelp, nameOf, wrongUsage } from './arguments.js';
import {
  commandHelp,
  guardHelp,
  type HoldArguments,
  holdHelp,
  onePlace,
  parseHold,
} from './hold-arguments.js';
import { underHold, type Wanted } from './under-hold.js';

const usage = 'conclave rwlock NAME --read|--write [--ttl 15s] [--timeout 5s] [--try] -- CMD ARGS';

export const rwlockHelp: string = `Runs a command while holding a read/write lock: readers share it, a writer is alone. First come, first served.

Usage: ${usage}
       conclave rwlock NAME --read|--write [OPTIONS]      holds it until SIGINT or SIGTERM

  --read                with other readers
  --write               alone${holdHelp}
  --path PREFIX         instead of NAME: a raw etcd prefix
${commonHelp},
${commandHelp}
${guardHelp} A writer's token is larger than
that of every holder before it.
`;

export interface RwLockArguments extends HoldArguments {
  readonly place: Place;
  readonly mode: 'read' | 'write';
}

/** @throws Failure for what cannot be understood */
export function parseRwLock(args: readonly string[]): RwLockArguments {
  const parsed = parseHold(args, usage, { read: { type: 'boolean' }, write: { type: 'boolean' } });
  const place = onePlace(parsed, usage);
  const { read, write } = parsed.own;
  if (read === write) throw wrongUsage('either --read or --write', usage);
  return { ...parsed.request, place, mode: read ? 'read' : 'write' };
}

/** @returns the command's exit status, or ours */
export async function rwlock(args: readonly string[]): Promise<number> {
  const request = parseRwLock(args);
  return underHold(request, (conclave) => wantedOf(conclave, request));
}

function wantedOf(conclave: Conclave, { place, mode }: RwLockArguments): Wanted {
  const lock = conclave.rwLock(place);
  return {
    name: nameOf(place),
    noun: 'lock',
    acquire: (wait) => lock[mode].acquire(wait),
    holders: async () => (await lock.inspect()).holders,
  };
}
