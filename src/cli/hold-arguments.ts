import type { Place } from '../index.js';
import { type Arguments, parse, parsePlace, type StoreArguments, wrongUsage } from './arguments.js';
import { parseDuration } from './duration.js';
import { exitStatus, Failure } from './failure.js';

/** Of every command that holds something: below its own options. */
export const holdHelp = `
  --ttl DURATION        how long etcd keeps what is held by one it has not heard of; whole seconds, 2s or more
                        (default 15s)
  --timeout DURATION    how long to stand in line (default: for ever); connecting takes up to 5s of its own
  --try                 do not stand in line: take it if it is free`;

/** Of every command that runs another: below the common statuses. */
export const commandHelp = `75 not acquired in time, 76 lost while the command was running, 127 CMD not found, 126 not executable, else that of CMD
(128 + N if signal N has ended it).

A duration has a unit: 500ms, 15s, 2m, 1h.

CMD finds the key in CONCLAVE_KEY and the fencing token in CONCLAVE_FENCING_TOKEN. Signals sent to conclave reach CMD. If
what is held is lost CMD gets SIGTERM, and SIGKILL when somebody else may hold it (at once if that may be so already). If
somebody asks for it (conclave release) CMD gets SIGTERM, and may take its time.`;

/** For what one at a time can hold. */
export const fenceHelp = `
CMD may be paused and write late all the same. Only the place it writes to can refuse that: let it keep the highest
token it has seen, and refuse smaller ones.`;

/** For what several can hold at a time. */
export const guardHelp = `
CMD may be paused and write late all the same, and the token does not tell: several are valid at a time. In etcd, writes
can be guarded by "the create revision of CONCLAVE_KEY is CONCLAVE_FENCING_TOKEN".`;

export interface HoldArguments {
  readonly store: StoreArguments;
  readonly isJson: boolean;
  readonly ttlMs: number;
  /** 0: take it if it is free. */
  readonly timeoutMs: number;
  /** Without one it is held until a signal comes. */
  readonly command: readonly [program: string, ...args: string[]] | undefined;
}

export interface ParsedHold extends Omit<Arguments, 'store' | 'isJson'> {
  /** What all have in common. */
  readonly request: HoldArguments;
}

/** @throws Failure for what cannot be understood */
export function parseHold(
  args: readonly string[],
  usage: string,
  ownOptions: Parameters<typeof parse>[1] = {},
): ParsedHold {
  const end = args.indexOf('--');
  const { store, isJson, positionals, own } = parse(end < 0 ? args : args.slice(0, end), {
    ttl: { type: 'string' },
    timeout: { type: 'string' },
    try: { type: 'boolean' },
    path: { type: 'string' },
    ...ownOptions,
  });
  const { ttl = '15s', timeout, try: isTry } = own;
  if (isTry && timeout !== undefined)
    throw wrongUsage('--try does not wait, so --timeout has no meaning', usage);
  const request = {
    store,
    isJson,
    ttlMs: parseTtl(String(ttl)),
    timeoutMs: isTry ? 0 : timeout === undefined ? Infinity : parseDuration(String(timeout), '--timeout'),
    command: end < 0 ? undefined : parseCommand(args.slice(end + 1), usage),
  };
  return { request, positionals, own };
}

/** One name, or a path in its place. @throws Failure */
export function onePlace(parsed: Pick<Arguments, 'positionals' | 'own'>, usage: string): Place {
  if (parsed.positionals.length > 1) throw wrongUsage('the command stands behind "--"', usage);
  return parsePlace(parsed, usage);
}

/** @throws Failure unless it is whole seconds, 2 or more */
export function parseTtl(text: string): number {
  const ttlMs = parseDuration(text, '--ttl');
  if (ttlMs < 2_000) throw new Failure(exitStatus.usage, `--ttl: ${text} is too short: 2s at least`);
  if (ttlMs % 1_000 === 0) return ttlMs;
  throw new Failure(exitStatus.usage, `--ttl: ${text} is not whole seconds`);
}

/** @param words what stands behind "--" @throws Failure */
export function parseCommand([program, ...args]: readonly string[], usage: string): HoldArguments['command'] {
  if (program === undefined || program === '') throw wrongUsage('nothing to run stands behind "--"', usage);
  return [program, ...args];
}
