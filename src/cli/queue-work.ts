import { setTimeout as delay } from 'node:timers/promises';
import { type Delivery, isConclaveError, type Queue } from '../index.js';
import { commonHelp, parseCount, wrongUsage } from './arguments.js';
import { runUnder } from './child.js';
import { exitStatus, Failure, oneLine } from './failure.js';
import { type HoldArguments, parseCommand, parseTtl } from './hold-arguments.js';
import { harmless } from './printing.js';
import { parseQueue, type QueueArguments, withQueue } from './queue-arguments.js';
import { barOf } from './queue-stat.js';
import { queueStates, remaining } from './queue-states.js';
import { Interrupted, type Signals, statusOfSignal } from './signals.js';
import { StatusLine } from './status-line.js';

const usage = 'conclave queue work NAME [--concurrency N] [--ttl 15s] [--until-empty] -- CMD ARGS';

export const workHelp: string = `Runs a command for each job of a queue, until SIGINT or SIGTERM.

Usage: ${usage}

  --concurrency N       how many commands run at a time (default 1)
  --ttl DURATION        how long etcd waits for a worker it has not heard of, before others get its jobs; whole seconds,
                        2s or more (default 15s)
  --until-empty         ends with 0 as soon as no job waits or runs, anywhere; those that wait for another attempt count
${commonHelp},
127 CMD not found, 126 not executable: the job is given back. After the first signal 0, with --until-empty 128 + N.

CMD reads the value from stdin: a text as it stands, anything else as JSON. It finds the id of the job in CONCLAVE_JOB_ID,
which attempt it is in CONCLAVE_JOB_ATTEMPT (1 for the first), and CONCLAVE_KEY and CONCLAVE_FENCING_TOKEN. By how it ends:

  0                     the job is done
  65                    it has failed for good (EX_DATAERR): see conclave queue dead
  anything else         it has failed, and is tried again later, as often as it may

A job may be worked on more than once: a worker that is lost may have done it. The token is larger than that of every
earlier delivery of the job: what is written to can keep the highest it has seen, and refuse smaller ones.

If the job is lost CMD gets SIGTERM, and SIGKILL when somebody else may have the job (at once if that may be so already).
If somebody cancels the job CMD gets SIGTERM, and may take its time.

The first SIGINT, SIGTERM or SIGHUP: no more jobs are taken, and what runs is waited for (Ctrl-C reaches CMD, too). The
second: SIGTERM to CMD. A job whose command fails after that is given back, uncounted. The third ends at once.
`;

export interface WorkArguments extends QueueArguments {
  readonly concurrency: number;
  readonly ttlMs: number;
  readonly isUntilEmpty: boolean;
  readonly command: NonNullable<HoldArguments['command']>;
}

/** @throws Failure for what cannot be understood */
export function parseWork(args: readonly string[]): WorkArguments {
  const end = args.indexOf('--');
  const { request, operands, own } = parseQueue(
    end < 0 ? args : args.slice(0, end),
    { usage, most: Infinity },
    { concurrency: { type: 'string' }, ttl: { type: 'string' }, 'until-empty': { type: 'boolean' } },
  );
  if (end < 0 || operands.length > 0) throw wrongUsage('the command stands behind "--"', usage);
  const command = parseCommand(args.slice(end + 1), usage);
  if (!command) throw wrongUsage('the command stands behind "--"', usage);
  const { concurrency, ttl = '15s', 'until-empty': untilEmpty } = own;
  return {
    ...request,
    concurrency: concurrency === undefined ? 1 : parseCount(String(concurrency), '--concurrency'),
    ttlMs: parseTtl(String(ttl)),
    isUntilEmpty: untilEmpty === true,
    command,
  };
}

/** @returns the exit status */
export async function work(args: readonly string[]): Promise<number> {
  const request = parseWork(args);
  return withQueue(request, (queue, _interruption, signals) => new Work(queue, request).run(signals), {
    sessionTtlMs: request.ttlMs,
  });
}

/** One run of the command `work`. */
class Work {
  readonly #queue: Queue;
  readonly #request: WorkArguments;
  /** Aborts when no more jobs are to be taken. */
  readonly #enough = new AbortController();
  /** Aborts when the commands are to stop. */
  readonly #stop = new AbortController();
  /** Told first. */
  #signal: NodeJS.Signals | undefined;
  #failure: Failure | undefined;

  constructor(queue: Queue, request: WorkArguments) {
    this.#queue = queue;
    this.#request = request;
  }

  async run(signals: Signals): Promise<number> {
    signals.handTo((name) => this.#onSignal(name));
    const workers = Array.from({ length: this.#request.concurrency }, () => this.#workInTurn());
    // One that fails ends the others, but they are waited for.
    for (const worker of workers) worker.catch(() => this.#enough.abort());
    if (this.#request.isUntilEmpty) await this.#untilEmpty();
    const ends = await Promise.allSettled(workers);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    if (this.#failure) throw this.#failure;
    if (this.#signal && this.#request.isUntilEmpty) throw new Interrupted(this.#signal);
    return exitStatus.ok;
  }

  #onSignal(name: NodeJS.Signals): void {
    if (this.#stop.signal.aborted) process.exit(statusOfSignal(name));
    if (this.#enough.signal.aborted) return this.#stop.abort();
    this.#signal = name;
    this.#enough.abort();
  }

  async #untilEmpty(): Promise<void> {
    using status = new StatusLine();
    try {
      for await (const view of queueStates(this.#queue, this.#enough.signal)) {
        status.show(barOf(view));
        if (remaining(view.state) === 0) return;
      }
    } finally {
      this.#enough.abort();
    }
  }

  async #workInTurn(): Promise<void> {
    const { signal } = this.#enough;
    const isOver = (): boolean => signal.aborted;
    let failures = 0;
    while (!isOver()) {
      try {
        const delivery = await this.#queue.receive({ signal });
        failures = 0;
        await this.#workOn(delivery);
      } catch (error) {
        if (isOver()) return;
        if (!isConclaveError(error, 'RESOURCE_EXHAUSTED') && !isConclaveError(error, 'UNAVAILABLE'))
          throw error;
        say(oneLine(error));
        await delay(Math.min(30_000, 500 * 2 ** failures++), undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Never rejects: what becomes of one job is no reason to stop. */
  async #workOn(delivery: Delivery): Promise<void> {
    try {
      await this.#settle(delivery, await this.#runFor(delivery));
    } catch (error) {
      // What cannot be run for this job only, its id cannot stand in a variable for example, has failed.
      if (!isConclaveError(error) && !(error instanceof Failure))
        await delivery.retry({ error }).catch(() => {});
      await delivery[Symbol.asyncDispose](); // unless it is settled already
      if (error instanceof Failure) {
        this.#failure = error;
        this.#enough.abort();
      } else say(`job ${JSON.stringify(delivery.id)}: ${oneLine(error)}`);
    }
  }

  /** @returns the status of the command @throws Failure if there is no such command; HoldLostError */
  #runFor(delivery: Delivery): Promise<number> {
    const { command, ttlMs } = this.#request;
    const { id, value, attempt } = delivery;
    return runUnder(delivery, {
      command,
      noun: `job ${harmless(JSON.stringify(id))}`,
      marginMs: Math.max(ttlMs / 5, 500),
      input: typeof value === 'string' ? value : JSON.stringify(value),
      env: { CONCLAVE_JOB_ID: id, CONCLAVE_JOB_ATTEMPT: String(attempt) },
      stop: this.#stop.signal,
    });
  }

  async #settle(delivery: Delivery, status: number): Promise<void> {
    const isLate = this.#enough.signal.aborted && !delivery.isCancelled;
    if (status === exitStatus.ok) await delivery.ack();
    else if (status === exitStatus.badData) await delivery.fail(describe(status));
    else if (isLate) await delivery.release();
    else await delivery.retry({ error: describe(status) });
  }
}

function describe(status: number): string {
  return status > exitStatus.signalled
    ? `the command was ended by signal ${status - exitStatus.signalled}`
    : `the command ended with ${status}`;
}

function say(text: string): void {
  process.stderr.write(`conclave: ${harmless(text)}\n`);
}
