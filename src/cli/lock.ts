import { type Conclave, type Hold, isConclaveError, type Mutex, type Place } from '../index.js';
import { commonHelp, parse, parsePlace, type StoreArguments, wrongUsage } from './arguments.js';
import { runUnder } from './child.js';
import { parseDuration } from './duration.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { mutexAt, open } from './opening.js';
import { describeHolder, printJson } from './printing.js';
import { Signals, statusOfSignal } from './signals.js';

const usage = 'conclave lock NAME [--ttl 15s] [--timeout 5s] [--try] -- CMD ARGS';

export const lockHelp: string = `Runs a command while holding a lock, and gives the lock back when the command has ended.

Usage: ${usage}
       conclave lock NAME [OPTIONS]          holds it until SIGINT or SIGTERM

  --ttl DURATION        how long etcd keeps the lock of a holder it has not heard of; whole seconds, 2s or more
                        (default 15s)
  --timeout DURATION    how long to stand in line (default: for ever); connecting takes up to 5s of its own
  --try                 do not stand in line: take it if it is free
  --path PREFIX         instead of NAME: a raw etcd prefix, shared with programs that use Go's concurrency package
${commonHelp},
75 not acquired in time, 76 lost while the command was running, 127 CMD not found, 126 not executable, else that of CMD
(128 + N if signal N has ended it).

A duration has a unit: 500ms, 15s, 2m, 1h.

CMD finds the key in CONCLAVE_KEY and the fencing token in CONCLAVE_FENCING_TOKEN. Signals sent to conclave reach CMD. If
the lock is lost CMD gets SIGTERM, and SIGKILL when somebody else may hold it (at once if that may be so already).

CMD may be paused and write late all the same. Only the place it writes to can refuse that: let it keep the highest
token it has seen, and refuse smaller ones.
`;

export interface LockArguments {
  readonly store: StoreArguments;
  readonly isJson: boolean;
  readonly place: Place;
  readonly ttlMs: number;
  /** 0: take it if it is free. */
  readonly timeoutMs: number;
  /** Without one the lock is held until a signal comes. */
  readonly command: readonly [program: string, ...args: string[]] | undefined;
}

/** @throws Failure for what cannot be understood */
export function parseLock(args: readonly string[]): LockArguments {
  const end = args.indexOf('--');
  const parsed = parse(end < 0 ? args : args.slice(0, end), {
    ttl: { type: 'string' },
    timeout: { type: 'string' },
    try: { type: 'boolean' },
    path: { type: 'string' },
  });
  if (parsed.positionals.length > 1) throw wrongUsage('the command stands behind "--"', usage);
  const { ttl = '15s', timeout, try: isTry } = parsed.own;
  if (isTry && timeout !== undefined)
    throw wrongUsage('--try does not wait, so --timeout has no meaning', usage);
  return {
    store: parsed.store,
    isJson: parsed.isJson,
    place: parsePlace(parsed, usage),
    ttlMs: parseTtl(String(ttl)),
    timeoutMs: isTry ? 0 : timeout === undefined ? Infinity : parseDuration(String(timeout), '--timeout'),
    command: end < 0 ? undefined : parseCommand(args.slice(end + 1)),
  };
}

function parseTtl(text: string): number {
  const ttlMs = parseDuration(text, '--ttl');
  if (ttlMs < 2_000) throw new Failure(exitStatus.usage, `--ttl: ${text} is too short: 2s at least`);
  if (ttlMs % 1_000 === 0) return ttlMs;
  throw new Failure(exitStatus.usage, `--ttl: ${text} is not whole seconds`);
}

function parseCommand([program, ...args]: readonly string[]): LockArguments['command'] {
  if (program === undefined || program === '') throw wrongUsage('nothing to run stands behind "--"', usage);
  return [program, ...args];
}

/** @returns the command's exit status, or ours */
export async function lock(args: readonly string[]): Promise<number> {
  const request = parseLock(args);
  const conclave = await open(request.store, { sessionTtlMs: request.ttlMs });
  const interruption = new AbortController();
  using signals = new Signals((name) => interruption.abort(new Interrupted(name)));
  try {
    const hold = await acquire(conclave, request, interruption.signal);
    return await during(hold, signals, () =>
      request.command ? runCommand(hold, request, signals) : untilSignal(hold, request, signals),
    );
  } catch (error) {
    if (error instanceof Interrupted) return statusOfSignal(error.signalName);
    throw error;
  } finally {
    signals.handTo(leaveAtOnce);
    await conclave.close();
  }
}

/** A signal came before there was a command to hand it to. */
class Interrupted extends Error {
  readonly signalName: NodeJS.Signals;

  constructor(signalName: NodeJS.Signals) {
    super(`interrupted by ${signalName}`);
    this.signalName = signalName;
  }
}

async function acquire(
  conclave: Conclave,
  { place, timeoutMs }: LockArguments,
  signal: AbortSignal,
): Promise<Hold> {
  const mutex = mutexAt(conclave, place);
  try {
    if (timeoutMs > 0) return await mutex.acquire({ timeoutMs, signal });
    const hold = await mutex.tryAcquire({ signal });
    if (hold) return hold;
  } catch (error) {
    if (!isConclaveError(error, 'CONFLICT')) throw error;
    throw new Failure(exitStatus.notAcquired, `not acquired: ${oneLine(error)}. Run it again`, {
      cause: error,
    });
  }
  throw new Failure(exitStatus.notAcquired, await whyTaken(mutex, place));
}

async function whyTaken(mutex: Mutex, place: Place): Promise<string> {
  const name = typeof place === 'string' ? place : place.path;
  const { holder } = await mutex.inspect();
  // Gone since, perhaps.
  const who = holder ? ` by ${describeHolder(holder)}${holder.since ? ` since ${holder.since}` : ''}` : '';
  return `${JSON.stringify(name)} is taken${who}`;
}

/** Giving back takes as long as the store is away. Whoever has no patience sends one more signal. */
function leaveAtOnce(name: NodeJS.Signals): never {
  process.exit(statusOfSignal(name));
}

/** Gives back in any case. That it was lost matters more than how the work ended. */
async function during(hold: Hold, signals: Signals, work: () => Promise<number>): Promise<number> {
  let status: number;
  try {
    status = await work();
  } catch (error) {
    signals.handTo(leaveAtOnce);
    await hold[Symbol.asyncDispose]();
    throw error;
  }
  signals.handTo(leaveAtOnce);
  await hold.release();
  return status;
}

function runCommand(hold: Hold, { command, ttlMs }: LockArguments, signals: Signals): Promise<number> {
  if (!command) throw new TypeError('there is no command to run');
  return runUnder(hold, { command, signals, marginMs: Math.max(ttlMs / 5, 500) });
}

async function untilSignal(hold: Hold, { isJson }: LockArguments, signals: Signals): Promise<number> {
  if (isJson) printJson(hold);
  else process.stdout.write(`key    ${hold.key}\ntoken  ${hold.fencingToken}\n`);
  await new Promise<void>((resolve, reject) => {
    signals.handTo(() => resolve());
    hold.signal.addEventListener('abort', () => reject(hold.signal.reason), { once: true });
    hold.assertHeld();
  });
  return exitStatus.ok;
}
