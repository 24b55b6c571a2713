import { hostname } from 'node:os';
import type { Conclave, Place } from '../index.js';
import { commonHelp, nameOf, wrongUsage } from './arguments.js';
import { exitStatus, Failure } from './failure.js';
import {
  commandHelp,
  fenceHelp,
  type HoldArguments,
  holdHelp,
  parseHold,
  type ParsedHold,
} from './hold-arguments.js';
import { observe, type ObserveArguments } from './observe.js';
import { underHold, type Wanted } from './under-hold.js';

const usage = 'conclave elect NAME [VALUE] [--priority N] [--ttl 15s] [--timeout 5s] [--try] -- CMD ARGS';
const observeUsage = 'conclave elect --observe NAME';

export const electHelp: string = `Stands for election, runs a command as soon as it leads, and resigns when the command has ended.

Usage: ${usage}
       conclave elect NAME [VALUE] [OPTIONS]      leads until SIGINT or SIGTERM
       ${observeUsage}              prints the leader, and each change, until SIGINT or SIGTERM

  VALUE                 what observers see (default: host name and process id)
  --priority N          candidates of lower priority that wait give way; a leader does not (default 0)
  --observe             does not stand for election itself; prints "no leader" while there is none. With --json an
                        object per line: { leader: { value, fencingToken, key } or null, revision }${holdHelp}
  --path PREFIX         instead of NAME: a raw etcd prefix, shared with programs that use Go's concurrency package
${commonHelp},
${commandHelp}
${fenceHelp}
`;

export interface ElectArguments extends HoldArguments {
  readonly place: Place;
  readonly value: string;
  readonly priority: number | undefined;
}

/** @throws Failure for what cannot be understood */
export function parseElect(args: readonly string[]): ElectArguments | ObserveArguments {
  const parsed = parseHold(args, usage, { priority: { type: 'string' }, observe: { type: 'boolean' } });
  if (parsed.own['observe']) return parseObserve(parsed);
  const [place, value = `${hostname()}:${process.pid}`, ...others] = placeAndValue(parsed, usage);
  if (others.length > 0) throw wrongUsage('the command stands behind "--"', usage);
  return { ...parsed.request, place, value, priority: parsePriority(parsed) };
}

function parseObserve({ own, request, positionals }: ParsedHold): ObserveArguments {
  const others = ['priority', 'ttl', 'timeout', 'try'].filter((name) => own[name] !== undefined);
  if (others.length > 0) throw wrongUsage(`--observe goes without --${others.join(', --')}`, observeUsage);
  if (request.command) throw wrongUsage('--observe runs no command', observeUsage);
  const [place, ...values] = placeAndValue({ own, positionals }, observeUsage);
  if (values.length > 0) throw wrongUsage('--observe takes a name and no value', observeUsage);
  return { store: request.store, isJson: request.isJson, place };
}

/** `NAME [VALUE]`, or `[VALUE]` with `--path PREFIX`. */
function placeAndValue(
  { own, positionals }: Pick<ParsedHold, 'own' | 'positionals'>,
  usageText: string,
): readonly [Place, ...string[]] {
  if (typeof own['path'] === 'string') return [{ path: own['path'] }, ...positionals];
  const [name, ...values] = positionals;
  if (name === undefined) throw wrongUsage('a name is missing', usageText);
  return [name, ...values];
}

function parsePriority({ own }: ParsedHold): number | undefined {
  const { priority: text } = own;
  if (text === undefined) return undefined;
  if (own['path'] !== undefined)
    throw wrongUsage('--priority has no meaning with --path: other programs would not give way', usage);
  const priority = /^[+-]?(\d+|\d*\.\d+)$/.test(String(text)) ? Number(text) : NaN;
  if (Number.isFinite(priority)) return priority;
  throw new Failure(exitStatus.usage, `--priority: ${JSON.stringify(text)} is not a number`);
}

/** @returns the command's exit status, or ours */
export async function elect(args: readonly string[]): Promise<number> {
  const request = parseElect(args);
  if (!('value' in request)) return observe(request);
  return underHold(request, (conclave) => wantedOf(conclave, request));
}

function wantedOf(conclave: Conclave, { place, value, priority }: ElectArguments): Wanted {
  const election = conclave.election(place);
  return {
    name: nameOf(place),
    noun: 'leadership',
    acquire: (wait) => election.campaign(value, { ...wait, ...(priority !== undefined && { priority }) }),
    holders: async () => (await election.candidates()).slice(0, 1),
  };
}
