import { type ChildProcess, spawn } from 'node:child_process';
import { type Hold, SessionLostError } from '../index.js';
import { whenAsked } from './asked.js';
import { exitStatus, Failure } from './failure.js';
import { type Signals, statusOfSignal } from './signals.js';

export interface ChildOptions {
  readonly command: readonly [program: string, ...args: string[]];
  /** Those that are sent to us, for the command to have. @default it gets none */
  readonly signals?: Signals;
  /** What it reads from stdin. @default what we read */
  readonly input?: string;
  /** Variables besides the key and the token. */
  readonly env?: Readonly<Record<string, string>>;
  /** SIGTERM when this aborts. @default never */
  readonly stop?: AbortSignal;
  /** What is held, for messages. */
  readonly noun: string;
  /** Between SIGTERM and SIGKILL when the hold is lost. */
  readonly marginMs: number;
}

/**
 * Runs a command under a hold, with our stdout and stderr, and if not told otherwise with our stdin. When the hold
 * is lost it is stopped before, as far as clocks go, the store can give it to somebody else. When somebody asks for what
 * is held it gets SIGTERM, once, and decides.
 *
 * Not guaranteed: processes that the command starts get no signal from us, and if this process itself is killed
 * (SIGKILL) or stopped, the command goes on alone. What it writes has to be fenced with the token.
 *
 * @returns its exit status
 * @throws Failure if it cannot be started
 */
export async function runUnder(
  hold: Hold,
  { command, signals, noun, marginMs, input, env, stop: wanted }: ChildOptions,
): Promise<number> {
  hold.assertHeld();
  const [program, ...args] = command;
  const child = spawn(program, args, {
    stdio: [input === undefined ? 'inherit' : 'pipe', 'inherit', 'inherit'],
    env: {
      ...process.env,
      ...env,
      CONCLAVE_KEY: hold.key,
      CONCLAVE_FENCING_TOKEN: String(hold.fencingToken),
    },
  });
  child.stdin?.on('error', () => {}); // it need not read what it is given
  child.stdin?.end(input);
  signals?.handTo((name) => {
    if (!comesFromTerminal(name)) child.kill(name);
  });
  let killer: NodeJS.Timeout | undefined;
  const onLost = (): void => {
    // What the job of a queue is asked for by is told by its signal, too.
    if (hold.releaseRequested.aborted && hold.signal.reason === hold.releaseRequested.reason) return;
    const patienceMs = isKnownGone(hold.signal.reason) ? 0 : marginMs;
    const how = patienceMs > 0 ? `SIGTERM, and SIGKILL in ${patienceMs} ms` : 'SIGKILL';
    process.stderr.write(`conclave: the ${noun} is lost: ${how} to ${program}\n`);
    killer = stop(child, patienceMs);
  };
  const onStop = (): void => void child.kill('SIGTERM');
  if (wanted?.aborted) onStop();
  wanted?.addEventListener('abort', onStop, { once: true });
  hold.signal.addEventListener('abort', onLost, { once: true });
  const ignoreRequests = whenAsked(hold, `SIGTERM to ${program}`, () => child.kill('SIGTERM'));
  try {
    return await ending(child, program);
  } finally {
    wanted?.removeEventListener('abort', onStop);
    hold.signal.removeEventListener('abort', onLost);
    ignoreRequests();
    clearTimeout(killer);
  }
}

/** Asks it to end, and no longer than `patienceMs`. */
function stop(child: ChildProcess, patienceMs: number): NodeJS.Timeout | undefined {
  child.kill(patienceMs > 0 ? 'SIGTERM' : 'SIGKILL');
  return patienceMs > 0 ? setTimeout(() => child.kill('SIGKILL'), patienceMs) : undefined;
}

/**
 * Whether somebody else may hold it already. Not so when the deadline has just passed unanswered: it lies one margin
 * before the lease's end. After a stall nobody knows how long ago that was.
 */
function isKnownGone(reason: unknown): boolean {
  const cause = reason instanceof Error ? reason.cause : undefined;
  return !(cause instanceof SessionLostError && cause.reason === 'expired');
}

/** Ctrl-C and Ctrl-\ reach every process of the terminal's foreground group, the command too: once is enough. */
function comesFromTerminal(name: NodeJS.Signals): boolean {
  return process.stdin.isTTY && (name === 'SIGINT' || name === 'SIGQUIT');
}

function ending(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('exit', (status, signal) => {
      resolve(signal === null ? (status ?? exitStatus.internal) : statusOfSignal(signal));
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT';
      const status = isMissing ? exitStatus.notFound : exitStatus.notExecutable;
      const why = isMissing ? 'not found' : `cannot be executed (${error.code ?? error.message})`;
      reject(new Failure(status, `${program}: ${why}`, { cause: error }));
    });
  });
}
