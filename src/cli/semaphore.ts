import {
  type Conclave,
  type Hold,
  isConclaveError,
  type Place,
  type Semaphore,
  type WaitOptions,
} from '../index.js';
import { commonHelp, nameOf, parseCount, type StoreArguments, wrongUsage } from './arguments.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import {
  commandHelp,
  guardHelp,
  type HoldArguments,
  holdHelp,
  onePlace,
  parseHold,
} from './hold-arguments.js';
import { open, primitive } from './opening.js';
import { underHold, type Wanted } from './under-hold.js';

const usage =
  'conclave semaphore NAME [--permits 1] [--limit 3] [--ttl 15s] [--timeout 5s] [--try] -- CMD ARGS';
const resizeUsage = 'conclave semaphore NAME --resize N';

export const semaphoreHelp: string = `Runs a command while holding permits of a semaphore: only so many are taken at a time. First come, first served.

Usage: ${usage}
       conclave semaphore NAME [OPTIONS]     holds them until SIGINT or SIGTERM
       ${resizeUsage}    changes how many there are

  --permits N           how many to take (default 1)
  --limit N             how many there are: stored by the first who says so; whoever says another number is refused with
                        64, and so is whoever says none before there is one
  --resize N            whatever is stored. Takes nothing back: if more are taken, nobody gets any until enough were given
                        back. Programs that live with it name no --limit${holdHelp}
  --path PREFIX         instead of NAME: a raw etcd prefix
${commonHelp},
${commandHelp}
${guardHelp}
`;

export interface SemaphoreArguments extends HoldArguments {
  readonly place: Place;
  readonly permits: number;
  readonly limit: number | undefined;
}

export interface ResizeArguments {
  readonly store: StoreArguments;
  readonly place: Place;
  readonly resize: number;
}

/** @throws Failure for what cannot be understood */
export function parseSemaphore(args: readonly string[]): SemaphoreArguments | ResizeArguments {
  const parsed = parseHold(args, usage, {
    permits: { type: 'string' },
    limit: { type: 'string' },
    resize: { type: 'string' },
  });
  const { request, own } = parsed;
  const place = onePlace(parsed, usage);
  if (own['resize'] !== undefined) {
    const others = ['permits', 'limit', 'ttl', 'timeout', 'try'].filter((name) => own[name] !== undefined);
    if (others.length > 0) throw wrongUsage(`--resize goes without --${others.join(', --')}`, resizeUsage);
    if (request.command) throw wrongUsage('--resize runs no command', resizeUsage);
    return { store: request.store, place, resize: parseCount(String(own['resize']), '--resize') };
  }
  const permits = own['permits'] === undefined ? 1 : parseCount(String(own['permits']), '--permits');
  const limit = own['limit'] === undefined ? undefined : parseCount(String(own['limit']), '--limit');
  if (limit !== undefined && permits > limit)
    throw wrongUsage(`${permits} permits of ${limit} would never be free`, usage);
  return { ...request, place, permits, limit };
}

/** @returns the command's exit status, or ours */
export async function semaphore(args: readonly string[]): Promise<number> {
  const request = parseSemaphore(args);
  if ('resize' in request) return resize(request);
  return underHold(request, (conclave) => wantedOf(conclave, request));
}

async function resize({ store, place, resize: limit }: ResizeArguments): Promise<number> {
  const conclave = await open(store);
  try {
    await primitive(() => conclave.semaphore(place)).resize(limit);
    return exitStatus.ok;
  } finally {
    await conclave.close();
  }
}

function wantedOf(conclave: Conclave, { place, permits, limit }: SemaphoreArguments): Wanted {
  const permitted = conclave.semaphore(place, { ...(limit !== undefined && { limit }) });
  return {
    name: nameOf(place),
    noun: 'permit',
    acquire: (wait) => take(permitted, { permits, limit, wait }),
    holders: async () => (await permitted.inspect()).holders,
  };
}

interface Taking {
  readonly permits: number;
  readonly limit: number | undefined;
  readonly wait: WaitOptions;
}

/** @throws Failure if another limit is stored than the one that was named, or none: trying again would not help */
async function take(semaphore: Semaphore, { permits, limit, wait }: Taking): Promise<Hold> {
  try {
    return await semaphore.acquire({ permits, ...wait });
  } catch (error) {
    if (!isConclaveError(error, 'CONFLICT')) throw error;
    const { limit: stored } = await semaphore.inspect();
    const isAgreed = stored !== undefined && permits <= stored && (limit ?? stored) === stored;
    throw isAgreed ? error : new Failure(exitStatus.usage, oneLine(error), { cause: error });
  }
}
