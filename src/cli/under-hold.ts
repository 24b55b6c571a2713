import { type Conclave, type Hold, isConclaveError, type TicketInfo, type WaitOptions } from '../index.js';
import { whenAsked } from './asked.js';
import { runUnder } from './child.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import type { HoldArguments } from './hold-arguments.js';
import { open, primitive } from './opening.js';
import { describeHolder, printJson } from './printing.js';
import { Interrupted, Signals, statusOfSignal } from './signals.js';

/** What is to be held: all that differs between the commands that hold something. */
export interface Wanted {
  /** As the user has named it. */
  readonly name: string;
  /** What its holder has, for messages. */
  readonly noun: 'lock' | 'permit' | 'leadership';
  /** With `timeoutMs: 0` it takes what is free, or rejects with `WaitTimeoutError`. */
  readonly acquire: (options: WaitOptions) => Promise<Hold>;
  /** Those who hold it now. */
  readonly holders: () => Promise<readonly TicketInfo[]>;
}

/**
 * Holds something while a command runs, or until a signal comes or somebody asks for it, and gives it back.
 *
 * @returns the command's exit status, or ours
 */
export async function underHold(
  request: HoldArguments,
  wantedOf: (conclave: Conclave) => Wanted,
): Promise<number> {
  const conclave = await open(request.store, { sessionTtlMs: request.ttlMs });
  const interruption = new AbortController();
  using signals = new Signals((name) => interruption.abort(new Interrupted(name)));
  try {
    const wanted = primitive(() => wantedOf(conclave));
    const hold = await acquire(wanted, request, interruption.signal);
    return await during(hold, signals, () =>
      request.command ? runCommand(hold, wanted, request, signals) : untilSignal(hold, request, signals),
    );
  } catch (error) {
    if (error instanceof Interrupted) return statusOfSignal(error.signalName);
    throw error;
  } finally {
    signals.handTo(leaveAtOnce);
    await conclave.close();
  }
}

async function acquire(wanted: Wanted, { timeoutMs }: HoldArguments, signal: AbortSignal): Promise<Hold> {
  try {
    return await wanted.acquire({ timeoutMs, signal });
  } catch (error) {
    if (timeoutMs === 0 && isConclaveError(error, 'WAIT_TIMEOUT'))
      throw new Failure(exitStatus.notAcquired, await whyTaken(wanted), { cause: error });
    if (!isConclaveError(error, 'CONFLICT')) throw error;
    throw new Failure(exitStatus.notAcquired, `not acquired: ${oneLine(error)}. Run it again`, {
      cause: error,
    });
  }
}

async function whyTaken({ name, holders }: Wanted): Promise<string> {
  const [first, ...others] = await holders();
  // Gone since, perhaps.
  const who = first ? ` by ${describeHolder(first)}${first.since ? ` since ${first.since}` : ''}` : '';
  const more = others.length > 0 ? `, and by ${others.length} more` : '';
  return `${JSON.stringify(name)} is taken${who}${more}`;
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

function runCommand(
  hold: Hold,
  { noun }: Wanted,
  { command, ttlMs }: HoldArguments,
  signals: Signals,
): Promise<number> {
  if (!command) throw new TypeError('there is no command to run');
  return runUnder(hold, { command, noun, signals, marginMs: Math.max(ttlMs / 5, 500) });
}

async function untilSignal(hold: Hold, { isJson }: HoldArguments, signals: Signals): Promise<number> {
  if (isJson) printJson(hold);
  else process.stdout.write(`key    ${hold.key}\ntoken  ${hold.fencingToken}\n`);
  await new Promise<void>((resolve, reject) => {
    signals.handTo(() => resolve());
    whenAsked(hold, 'giving it back', resolve);
    hold.signal.addEventListener('abort', () => reject(hold.signal.reason), { once: true });
    hold.assertHeld();
  });
  return exitStatus.ok;
}
