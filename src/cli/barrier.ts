import { type Conclave, isConclaveError, type Place, type WaitOptions } from '../index.js';
import {
  commonHelp,
  nameOf,
  parse,
  parseCount,
  parsePlace,
  type StoreArguments,
  wrongUsage,
} from './arguments.js';
import { parseDuration } from './duration.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { asUsage, open, primitive } from './opening.js';
import { harmless, printJson } from './printing.js';
import { Interrupted, Signals, statusOfSignal } from './signals.js';
import { progressBar, StatusLine } from './status-line.js';

const usage = 'conclave barrier meet|arrive|await|close|open|wait|reset NAME ...';

export const barrierHelp: string = `Lets programs wait for each other.

Usage: conclave barrier meet NAME --parties 3 [--timeout 1m]     waits until as many have come; again and again
       conclave barrier arrive NAME --count 3 [--id ID]          a latch: tells that this one has arrived
       conclave barrier await NAME --count 3 [--timeout 1m]      waits until as many have arrived, ever
       conclave barrier reset NAME --count 3                     begins a latch anew
       conclave barrier close|open NAME                          a gate
       conclave barrier wait NAME [--timeout 1m]                 waits while the gate is closed

  --parties N           how many have to come
  --count N             how many have to arrive
  --id ID               counts once, however often it arrives (default: each arrival counts)
  --timeout DURATION    how long to wait (default: for ever)
  --path KEY            of a gate, instead of NAME: a raw etcd key, as for recipes.Barrier in Go
${commonHelp},
75 not in time, a party of this round has died, or the gate is closed already. 64 also if others name another number.

A duration has a unit: 500ms, 15s, 2m, 1h. On a terminal a bar shows how many have come.
`;

interface BarrierArguments {
  readonly store: StoreArguments;
  readonly isJson: boolean;
  readonly action: Action;
  readonly place: Place;
  readonly number: number;
  readonly id: string | undefined;
  readonly timeoutMs: number;
}

type Action = 'meet' | 'arrive' | 'await' | 'reset' | 'close' | 'open' | 'wait';

/** What an action takes besides the name. */
interface Traits {
  /** The option that has to be named. */
  readonly needs?: 'parties' | 'count';
  readonly also?: readonly string[];
  readonly run: (conclave: Conclave, request: BarrierArguments, wait: WaitOptions) => Promise<void>;
}

const actions: Readonly<Record<Action, Traits>> = {
  meet: { needs: 'parties', also: ['timeout'], run: meet },
  arrive: { needs: 'count', also: ['id'], run: arrive },
  await: { needs: 'count', also: ['timeout'], run: awaitLatch },
  reset: { needs: 'count', run: reset },
  close: { also: ['path'], run: close },
  open: { also: ['path'], run: openGate },
  wait: { also: ['path', 'timeout'], run: wait },
};

/** @throws Failure for what cannot be understood */
export function parseBarrier(args: readonly string[]): BarrierArguments {
  const { store, isJson, positionals, own } = parse(args, {
    parties: { type: 'string' },
    count: { type: 'string' },
    id: { type: 'string' },
    timeout: { type: 'string' },
    path: { type: 'string' },
  });
  const [name = '', ...operands] = positionals;
  if (!Object.hasOwn(actions, name)) {
    throw wrongUsage(name === '' ? 'what to do is missing' : `${JSON.stringify(name)} is no action`, usage);
  }
  const action = name as Action;
  const { needs, also = [] } = actions[action];
  const known = [...also, ...(needs ? [needs] : [])];
  const stray = Object.keys(own).find((option) => own[option] !== undefined && !known.includes(option));
  if (stray !== undefined) throw wrongUsage(`${action} has no --${stray}`, usage);
  if (needs && own[needs] === undefined) throw wrongUsage(`${action} needs --${needs}`, usage);
  return {
    store,
    isJson,
    action,
    place: parsePlace({ positionals: operands, own }, usage),
    number: needs ? parseCount(String(own[needs]), `--${needs}`) : 0,
    id: typeof own['id'] === 'string' ? own['id'] : undefined,
    timeoutMs: own['timeout'] === undefined ? Infinity : parseDuration(String(own['timeout']), '--timeout'),
  };
}

/** @returns the exit status */
export async function barrier(args: readonly string[]): Promise<number> {
  const request = parseBarrier(args);
  const conclave = await open(request.store);
  const interruption = new AbortController();
  using signals = new Signals((name) => interruption.abort(new Interrupted(name)));
  try {
    const { signal } = interruption;
    const { run } = actions[request.action];
    await run(conclave, request, { signal, timeoutMs: request.timeoutMs });
    return exitStatus.ok;
  } catch (error) {
    if (error instanceof Interrupted) return statusOfSignal(error.signalName);
    throw failureIn(error);
  } finally {
    signals.handTo((name) => process.exit(statusOfSignal(name)));
    await conclave.close();
  }
}

function failureIn(error: unknown): unknown {
  if (isConclaveError(error, 'BROKEN_BARRIER')) {
    return new Failure(exitStatus.notAcquired, `${oneLine(error)}. Run it again`, { cause: error });
  }
  if (isConclaveError(error, 'ALREADY_EXISTS'))
    return new Failure(exitStatus.notAcquired, oneLine(error), { cause: error });
  if (isConclaveError(error, 'CONFLICT'))
    return new Failure(exitStatus.usage, oneLine(error), { cause: error });
  return asUsage(error);
}

async function meet(conclave: Conclave, request: BarrierArguments, options: WaitOptions): Promise<void> {
  const meeting = primitive(() => conclave.cyclicBarrier(request.place, { parties: request.number }));
  const { round, index } = await withBar(
    request,
    (signal) => meeting.observe({ signal }),
    () => meeting.wait(options),
  );
  if (request.isJson) printJson({ name: nameOf(request.place), round: String(round), index });
  else process.stdout.write(`round  ${round}\nindex  ${index}\n`);
}

async function arrive(conclave: Conclave, { place, number, id, isJson }: BarrierArguments): Promise<void> {
  const latch = primitive(() => conclave.latch(place, { count: number }));
  const isCounted = await latch.arrive(id);
  const remaining = await latch.remaining();
  if (isJson) printJson({ name: nameOf(place), isCounted, remaining });
  else process.stdout.write(`${isCounted ? 'counted' : 'counted before'}, ${remaining} to come\n`);
}

async function awaitLatch(
  conclave: Conclave,
  request: BarrierArguments,
  options: WaitOptions,
): Promise<void> {
  const latch = primitive(() => conclave.latch(request.place, { count: request.number }));
  await withBar(
    request,
    (signal) => latch.observe({ signal }),
    () => latch.wait(options),
  );
}

async function reset(conclave: Conclave, { place, number }: BarrierArguments): Promise<void> {
  await primitive(() => conclave.latch(place, { count: number })).reset();
}

async function close(conclave: Conclave, { place }: BarrierArguments): Promise<void> {
  await primitive(() => conclave.gate(place)).close();
}

async function openGate(conclave: Conclave, { place }: BarrierArguments): Promise<void> {
  await primitive(() => conclave.gate(place)).open();
}

async function wait(conclave: Conclave, { place }: BarrierArguments, options: WaitOptions): Promise<void> {
  await primitive(() => conclave.gate(place)).wait(options);
}

/** Shows how many have come while `work` waits for the rest, if there is a terminal. */
async function withBar<T>(
  { place, number }: BarrierArguments,
  observe: (signal: AbortSignal) => AsyncIterable<{ readonly arrived: number }>,
  work: () => Promise<T>,
): Promise<T> {
  if (!process.stderr.isTTY) return work();
  using status = new StatusLine();
  const over = new AbortController();
  const showing = (async () => {
    for await (const { arrived } of observe(over.signal))
      status.show(`${harmless(nameOf(place))} ${progressBar(arrived, number, 'have come')}`);
  })().catch(() => {}); // only to be seen
  try {
    return await work();
  } finally {
    over.abort();
    await showing;
  }
}
