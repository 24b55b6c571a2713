import { type Conclave, isConclaveError, type LineKind, type Place, type TicketInfo } from '../index.js';
import { commonHelp, parse, parsePlace, type StoreArguments, wrongUsage } from './arguments.js';
import { parseDuration } from './duration.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { allKinds, kindHelp, parseKind, wordFor } from './kinds.js';
import { asUsage, open } from './opening.js';
import { describeHolder, printJson } from './printing.js';
import { isUsed, standing } from './standing.js';
import { Interrupted, Signals, statusOfSignal } from './signals.js';

const usage = 'conclave release NAME [--kind KIND] [--reason TEXT] [--deadline 10s]';

export const releaseHelp: string = `Asks those who hold something to give it back, and waits until they have; or takes it away.

Usage: ${usage}
       conclave release NAME --force [--ticket KEY] [--kind KIND] [--reason TEXT]

${kindHelp} (default: the only kind in which somebody stands)
  --reason TEXT         told to whom it concerns (default: that it was asked for by hand)
  --deadline DURATION   how long to wait for them, who are told; nothing else happens then (default 10s)
  --force               take it away, without asking: the next in line has it at once. Its holder is told, and may go on
                        writing until it has heard: what it writes has to be fenced
  --ticket KEY          with --force: whose, as inspect shows it; also one that waits (default: the oldest in line)
  --path PREFIX         instead of NAME: a raw etcd prefix
${commonHelp},
75 still held after the deadline, or by another program, which cannot be asked. 0 also if nobody held it.

A duration has a unit: 500ms, 15s, 2m, 1h.

A command under conclave lock, rwlock, semaphore or elect gets SIGTERM when it is asked for what it holds.
`;

interface ReleaseArguments {
  readonly store: StoreArguments;
  readonly isJson: boolean;
  readonly place: Place;
  /** undefined: the only one in which somebody stands. */
  readonly kind: LineKind | undefined;
  readonly reason: string;
  readonly deadlineMs: number;
  readonly isForced: boolean;
  readonly ticket: string | undefined;
}

/** @throws Failure for what cannot be understood */
export function parseRelease(args: readonly string[]): ReleaseArguments {
  const parsed = parse(args, {
    kind: { type: 'string' },
    reason: { type: 'string' },
    deadline: { type: 'string' },
    force: { type: 'boolean' },
    ticket: { type: 'string' },
    path: { type: 'string' },
  });
  const { kind, reason = 'asked for by hand', deadline, force, ticket } = parsed.own;
  const isForced = force === true;
  if (isForced && deadline !== undefined)
    throw wrongUsage('--force does not wait, so --deadline has no meaning', usage);
  if (!isForced && ticket !== undefined) throw wrongUsage('--ticket needs --force', usage);
  return {
    store: parsed.store,
    isJson: parsed.isJson,
    place: parsePlace(parsed, usage),
    kind: kind === undefined ? undefined : parseKind(String(kind)),
    reason: String(reason),
    deadlineMs: deadline === undefined ? 10_000 : parseDuration(String(deadline), '--deadline'),
    isForced,
    ticket: ticket === undefined ? undefined : String(ticket),
  };
}

/** @returns the exit status */
export async function release(args: readonly string[]): Promise<number> {
  const request = parseRelease(args);
  const conclave = await open(request.store);
  const interruption = new AbortController();
  using signals = new Signals((name) => interruption.abort(new Interrupted(name)));
  try {
    const found = { ...request, kind: request.kind ?? (await kindOf(conclave, request.place)) };
    return await (request.isForced
      ? takeAway(conclave, found)
      : askAndWait(conclave, found, interruption.signal));
  } catch (error) {
    if (error instanceof Interrupted) return statusOfSignal(error.signalName);
    throw asUsage(error);
  } finally {
    signals.handTo((name) => process.exit(statusOfSignal(name)));
    await conclave.close();
  }
}

type Found = ReleaseArguments & { readonly kind: LineKind };

/** @throws Failure if the name stands for several that are in use: taking the wrong one away would do harm */
async function kindOf(conclave: Conclave, place: Place): Promise<LineKind> {
  // A path does not tell what it is used as.
  if (typeof place !== 'string') return 'mutex';
  const all = await Promise.all(allKinds.map((kind) => standing(conclave, kind, place)));
  const [first, ...others] = all.filter(isUsed).map(({ kind }) => kind);
  if (others.length === 0) return first ?? 'mutex';
  const words = [first ?? 'mutex', ...others].map(wordFor).join(', ');
  throw wrongUsage(`${JSON.stringify(place)} is in use as ${words}: say which with --kind`, usage);
}

async function takeAway(conclave: Conclave, request: Found): Promise<number> {
  const { kind, place, reason, ticket, isJson } = request;
  const hit = await conclave.forceRelease(kind, place, { reason, ...(ticket !== undefined && { ticket }) });
  if (isJson) printJson({ ...about(request), hit: hit ?? null });
  else process.stdout.write(hit ? `released by force: ${describe(hit)}\n` : 'free\n');
  return exitStatus.ok;
}

async function askAndWait(conclave: Conclave, request: Found, interruption: AbortSignal): Promise<number> {
  const { kind, place, reason, deadlineMs, isJson } = request;
  const asked = await conclave.requestRelease(kind, place, { reason, deadlineMs }).catch(cannotBeAsked);
  if (!isJson) for (const ticket of asked) process.stdout.write(`asked: ${describe(ticket)}\n`);
  const deadline = AbortSignal.timeout(deadlineMs);
  const over = AbortSignal.any([deadline, interruption]);
  const stays = await Promise.all(asked.map((ticket) => isThereStill(conclave, ticket, over)));
  interruption.throwIfAborted();
  const held = asked.filter((_, i) => stays[i]);
  if (isJson) printJson({ ...about(request), asked, held });
  else if (held.length === 0) process.stdout.write(asked.length > 0 ? 'released\n' : 'free\n');
  if (held.length === 0) return exitStatus.ok;
  const who = held.map((ticket) => describeHolder(ticket)).join(', ');
  throw new Failure(exitStatus.notAcquired, `still held by ${who}`);
}

/** Waits until it is gone, or the signal aborts. */
async function isThereStill(
  { store }: Conclave,
  { key, fencingToken }: TicketInfo,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    while (true) {
      const { header, kvs } = await store.get(key, { signal });
      if (kvs[0]?.createRevision !== fencingToken) return false;
      const changes = store.watch(key, { startRevision: header.revision + 1n, signal });
      if (await hasDelete(changes)) return false;
    }
  } catch (error) {
    if (signal.aborted) return true;
    throw error;
  }
}

/** Resolves with the first deletion; with false if the past was compacted away: then it has to be read again. */
async function hasDelete(changes: ReturnType<Conclave['store']['watch']>): Promise<boolean> {
  try {
    for await (const notice of changes) {
      if (notice.kind === 'events' && notice.events.some(({ type }) => type === 'delete')) return true;
    }
  } catch (error) {
    if (!isConclaveError(error, 'COMPACTED')) throw error;
  }
  return false;
}

function cannotBeAsked(error: unknown): never {
  if (!isConclaveError(error, 'UNSUPPORTED')) throw error;
  throw new Failure(exitStatus.notAcquired, `still held: ${oneLine(error)}: --force`, { cause: error });
}

function about({ kind, place }: ReleaseArguments): object {
  return { kind, ...(typeof place === 'string' ? { name: place } : place) };
}

function describe(ticket: TicketInfo): string {
  return `${describeHolder(ticket)}, token ${ticket.fencingToken}, ${ticket.key}`;
}
