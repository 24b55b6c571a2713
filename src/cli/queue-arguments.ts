import type { ConnectOptions, Queue } from '../index.js';
import { type Arguments, parse, type StoreArguments, wrongUsage } from './arguments.js';
import { exitStatus, Failure } from './failure.js';
import { asUsage, open, primitive } from './opening.js';
import { Interrupted, Signals, statusOfSignal } from './signals.js';

/** What all commands about a queue have in common. */
export interface QueueArguments {
  readonly store: StoreArguments;
  readonly isJson: boolean;
  readonly name: string;
}

export interface ParsedQueue extends Pick<Arguments, 'own'> {
  readonly request: QueueArguments;
  /** What stands behind the name. */
  readonly operands: readonly string[];
}

/** @param most how many operands may stand behind the name @throws Failure for what cannot be understood */
export function parseQueue(
  args: readonly string[],
  { usage, most }: { readonly usage: string; readonly most: number },
  ownOptions: Parameters<typeof parse>[1] = {},
): ParsedQueue {
  const { store, isJson, positionals, own } = parse(args, ownOptions);
  const [name, ...operands] = positionals;
  if (name === undefined) throw wrongUsage('the name of a queue is missing', usage);
  const [tooMuch] = operands.slice(most);
  if (tooMuch !== undefined) throw wrongUsage(`${JSON.stringify(tooMuch)} is too much`, usage);
  return { request: { store, isJson, name }, operands, own };
}

/**
 * Opens the queue for as long as `use` takes.
 *
 * @param use is told of signals by one that aborts with `Interrupted`: rejecting with that is how it ends then
 * @returns what `use` does, or the status of a signal
 */
export async function withQueue(
  { store, name }: QueueArguments,
  use: (queue: Queue, interruption: AbortSignal, signals: Signals) => Promise<number>,
  options: Pick<ConnectOptions, 'sessionTtlMs'> = {},
): Promise<number> {
  const conclave = await open(store, options);
  const interruption = new AbortController();
  using signals = new Signals((signal) => interruption.abort(new Interrupted(signal)));
  try {
    const queue = primitive(() => conclave.queue(name));
    return await use(queue, interruption.signal, signals);
  } catch (error) {
    if (error instanceof Interrupted) return statusOfSignal(error.signalName);
    throw asUsage(error);
  } finally {
    signals.handTo((signal) => process.exit(statusOfSignal(signal)));
    await conclave.close();
  }
}

/** Nothing is there of this id. */
export function missing(what: string, { name }: QueueArguments, id: string): Failure {
  return new Failure(
    exitStatus.missing,
    `queue ${JSON.stringify(name)} has no ${what} ${JSON.stringify(id)}`,
  );
}
