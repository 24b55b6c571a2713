import type { Conclave, Place } from '../index.js';
import { commonHelp, nameOf } from './arguments.js';
import {
  commandHelp,
  fenceHelp,
  type HoldArguments,
  holdHelp,
  onePlace,
  parseHold,
} from './hold-arguments.js';
import { underHold, type Wanted } from './under-hold.js';

const usage = 'conclave lock NAME... [--ttl 15s] [--timeout 5s] [--try] -- CMD ARGS';

export const lockHelp: string = `Runs a command while holding a lock, and gives the lock back when the command has ended.

Usage: ${usage}
       conclave lock NAME [OPTIONS]          holds it until SIGINT or SIGTERM

Several names are several locks, all or nothing; in whatever order programs name them, none waits for another for ever.
Its key is then that of one of them.
${holdHelp}
  --path PREFIX         instead of NAME: a raw etcd prefix, shared with programs that use Go's concurrency package
${commonHelp},
${commandHelp}
${fenceHelp}
`;

export interface LockArguments extends HoldArguments {
  /** One, or several for a multi-lock. */
  readonly places: readonly [Place, ...Place[]];
}

/** @throws Failure for what cannot be understood */
export function parseLock(args: readonly string[]): LockArguments {
  const parsed = parseHold(args, usage);
  const [name, ...others] = parsed.positionals;
  // `conclave lock a make`, short of a "--", would hold two locks and never make anything.
  if (
    name === undefined ||
    others.length === 0 ||
    parsed.own['path'] !== undefined ||
    !parsed.request.command
  )
    return { ...parsed.request, places: [onePlace(parsed, usage)] };
  return { ...parsed.request, places: [name, ...others] };
}

/** @returns the command's exit status, or ours */
export async function lock(args: readonly string[]): Promise<number> {
  const request = parseLock(args);
  return underHold(request, (conclave) => wantedOf(conclave, request));
}

function wantedOf(conclave: Conclave, { places }: LockArguments): Wanted {
  const [place, ...others] = places;
  const locks = places.map((each) => conclave.mutex(each));
  const wanted = others.length > 0 ? conclave.multiLock(places) : conclave.mutex(place);
  return {
    name: places.map(nameOf).join(', '),
    noun: 'lock',
    acquire: (wait) => wanted.acquire(wait),
    // A multi-lock stands in the lines of mutexes.
    holders: async () => {
      const states = await Promise.all(locks.map((each) => each.inspect()));
      return states.flatMap(({ holder }) => holder ?? []);
    },
  };
}
