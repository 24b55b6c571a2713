import { isConclaveError } from '../base/errors.js';
import { raceSignal, type Wait } from '../base/wait.js';
import { sleep } from '../base/runtime.js';
import type { Hold } from '../session/hold.js';
import type { Session } from '../session/session.js';
import { compare, get } from '../store/operations.js';
import { claim, type Claimed } from './claim.js';
import { Delivery } from './delivery.js';
import type { CheckedQueueOptions } from './queue-options.js';
import { type ReadJob, readJob } from './read-job.js';
import type { Search } from './search.js';
import type { QueueParts } from './settle.js';
import { type Turn, WaitingWorker } from './waiting-worker.js';

/** As many as one transaction takes. */
const maxClaims = 16;
/** After how many claims the floors of the lanes are moved, on average: by chance, so of all processes together. */
const claimsPerFloor = 128;

/** Somebody who wants a job. */
interface Want {
  readonly wait: Wait;
  /** With a limit for the whole queue: the permission to run one. */
  readonly permit: Hold | undefined;
  readonly resolve: (delivery: Delivery) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gets jobs for all who want one in this process: one search and one transaction for as many as are wanted. While there
 * are none it stands in line with the other processes.
 */
export class Consumer {
  readonly #parts: QueueParts;
  readonly #options: CheckedQueueOptions;
  readonly #search: Search;
  readonly #onEnd: (group: string | undefined) => void;
  #wants: Want[] = [];
  #isRunning = false;
  /** The latest attempt to take some has come to nothing. */
  #gotNone = false;
  /** Settles when what is being taken is handed over, or given back. */
  #underWay: Promise<void> = Promise.resolve();
  /** Its place among the processes that wait for a job. */
  #worker: WaitingWorker | undefined;
  /** Aborts when nobody wants anything any more. */
  #unwanted = new AbortController();

  /** @param onEnd told of the group of each job that is done with */
  constructor(
    parts: QueueParts,
    options: CheckedQueueOptions,
    search: Search,
    onEnd: (group: string | undefined) => void,
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#search = search;
    this.#onEnd = onEnd;
  }

  /**
   * The next job. Rejects at once when the wait ends; a job that comes for nobody is given back.
   *
   * @param permit given back when the job has ended, or when it is certain that there is none under it
   */
  receive(wait: Wait, permit?: Hold): Promise<Delivery> {
    const received = this.#receive(wait, permit);
    const giveBack = (): void => void permit?.release().catch(() => {});
    received.catch(() => void this.#underWay.then(giveBack));
    return received;
  }

  #receive(wait: Wait, permit: Hold | undefined): Promise<Delivery> {
    return new Promise((resolve, reject) => {
      if (wait.signal.aborted) return reject(wait.signal.reason as Error);
      const want: Want = { wait, permit, resolve, reject };
      const onAbort = (): void => {
        this.#forget(want);
        reject(wait.signal.reason as Error);
      };
      wait.signal.addEventListener('abort', onAbort, { once: true });
      this.#want(want);
    });
  }

  #want(want: Want): void {
    this.#wants.push(want);
    if (want.wait.immediate) this.#worker?.wake();
    if (!this.#isRunning) void this.#run();
  }

  #forget(want: Want): void {
    this.#wants = this.#wants.filter((each) => each !== want);
    if (this.#wants.length === 0) this.#unwanted.abort(nobodyLeft);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    /** Rounds in a row that came to nothing. */
    let vain = 0;
    while (this.#wants.length > 0) {
      if (this.#unwanted.signal.aborted) this.#unwanted = new AbortController();
      const { signal } = this.#unwanted;
      try {
        vain = (await this.#round(signal)) ? 0 : vain + 1;
        // Others were quicker, again and again: not for long, or they always will be.
        if (vain > 3) await this.#pause(1, signal);
      } catch (error) {
        if (error !== nobodyLeft) await this.#failed(error, ++vain, signal);
      }
    }
    this.#leave();
    this.#isRunning = false;
  }

  /**
   * Looks once, and takes what there is; or stands in line until there is something, and takes that.
   *
   * @returns false if it came to nothing
   */
  async #round(signal: AbortSignal): Promise<boolean> {
    const { connection, layout } = this.#parts;
    const session = await raceSignal(connection.session(), signal);
    if (this.#worker?.session !== session) this.#leave();
    const wanted = Math.max(8, Math.min(this.#wants.length, maxClaims));
    const impatient = this.#impatient();
    const pausedKey = get(layout.paused, { keysOnly: true });
    const { jobs, others } = await this.#search.first(wanted, signal, [pausedKey]);
    const isPaused = (others[0]?.kvs.length ?? 0) > 0;
    if (jobs.length > 0 && !isPaused) return this.#take(session, { jobs, if: [] });
    // Whoever has come since the search began has not been looked for.
    this.#refuseTheImpatient(impatient);
    if (this.#wants.length === 0) return true;
    this.#worker ??= await WaitingWorker.stand(connection, layout, this.#search, session, signal);
    if (this.#impatient().length > 0) return true;
    const turn = await this.#worker.untilTurn(signal);
    return turn ? this.#take(session, turn) : true;
  }

  async #take(session: Session, turn: Turn): Promise<boolean> {
    this.#refuseWithoutPermit();
    // Of several, each may have been taken by others; of one, the next will do: who has got none goes for one.
    const most = this.#gotNone ? 1 : maxClaims;
    const wants = this.#wants.splice(0, Math.min(turn.jobs.length, most));
    try {
      if (wants.length === 0) return true;
      const claiming = this.#claim(session, turn, wants);
      // `close` waits until what is taken is handed over, or given back.
      this.#underWay = claiming.then(
        ({ delivered }) => delivered,
        () => {},
      );
      session.chore(this.#underWay);
      const { count } = await claiming;
      this.#gotNone = count === 0;
      if (count > 0) this.#gotSome(count);
      return count > 0;
    } finally {
      this.#wants.unshift(...wants.filter(({ wait }) => !wait.signal.aborted));
    }
  }

  /** @param wants of which as many as get a job are removed */
  async #claim(session: Session, turn: Turn, wants: Want[]): Promise<Handed> {
    const { connection, layout } = this.#parts;
    const claimed = await claim(connection, {
      session,
      layout,
      jobs: turn.jobs,
      count: wants.length,
      if: [
        compare.createRevision(layout.paused, '=', 0n),
        ...turn.if,
        ...wants.flatMap(({ permit }) => permit?.guard() ?? []),
      ],
      leaving: this.#worker?.leaving() ?? [],
    });
    const handing = claimed.map((each) => this.#deliver(each, wants.shift()));
    return { count: claimed.length, delivered: Promise.all(handing).then(() => {}) };
  }

  #gotSome(count: number): void {
    this.#worker?.hasLeft();
    this.#worker = undefined;
    if (this.#parts.connection.runtime.random() < count / claimsPerFloor) void this.#search.moveFloors();
  }

  /** Never rejects. @param want whose job it was to be; if that has ended meanwhile it is for the next one */
  async #deliver(claimed: Claimed, want: Want | undefined): Promise<void> {
    let taker = want;
    try {
      const job = await readJob(this.#parts, this.#options.schema, claimed, this.#onEnd);
      if (job) {
        const { session } = claimed.ticket;
        await session.untilValid(session.signal); // nothing is granted while the session is in doubt
        if (want?.wait.signal.aborted) taker = this.#wants.shift();
        await this.#hand(job, taker);
        return;
      }
    } catch (error) {
      if (isConclaveError(error, 'CONFLICT')) {
        taker?.reject(error);
        return;
      }
      // The session is over, and the claim with it: somebody else gets the job.
    }
    if (taker) this.#again(taker);
  }

  /** What nobody wants any more is given back. */
  async #hand({ job, value }: ReadJob, want: Want | undefined): Promise<void> {
    const onEnd = (): void => {
      void want?.permit?.release().catch(() => {});
      this.#onEnd(job.body.group);
    };
    const delivery = Delivery.of(this.#parts, job, value, want?.wait.waitedMs() ?? 0, onEnd);
    if (want) want.resolve(delivery);
    else await delivery[Symbol.asyncDispose]();
  }

  #again(want: Want): void {
    if (want.wait.signal.aborted) return;
    this.#wants.unshift(want);
    if (!this.#isRunning) void this.#run();
  }

  #impatient(): readonly Want[] {
    return this.#wants.filter(({ wait }) => wait.immediate);
  }

  /** Whoever does not wait is told so. */
  #refuseTheImpatient(impatient: readonly Want[]): void {
    for (const want of impatient) this.#refuse(want, want.wait.timeout());
  }

  #refuseWithoutPermit(): void {
    for (const want of this.#wants.filter(({ permit }) => permit && !permit.isHeld())) {
      this.#refuse(want, permitLost);
    }
  }

  #refuse(want: Want, error: unknown): void {
    this.#wants = this.#wants.filter((each) => each !== want);
    want.reject(error);
  }

  #leave(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker) worker.session.chore(worker.leave());
  }

  /** What may pass is ridden out; anything else is for those to hear who wait. Never rejects. */
  async #failed(error: unknown, vain: number, signal: AbortSignal): Promise<void> {
    this.#leave();
    if (!mayPass(error, this.#parts)) {
      for (const want of [...this.#wants]) this.#refuse(want, error);
      return;
    }
    for (const { wait } of this.#wants) wait.obstacle = `; ${String(error)}`;
    if (!isConclaveError(error, 'SESSION_LOST')) this.#refuseTheImpatient(this.#impatient());
    await this.#pause(vain, signal);
  }

  /** Never rejects. */
  async #pause(vain: number, signal: AbortSignal): Promise<void> {
    const { runtime } = this.#parts.connection;
    const ceilingMs = Math.min(1_000, 20 * 2 ** Math.min(vain, 10));
    await sleep(runtime, runtime.random() * ceilingMs, { signal }).catch(() => {});
  }
}

interface Handed {
  /** How many jobs were taken. */
  readonly count: number;
  /** Settles when each of them is handed over, or given back. */
  readonly delivered: Promise<void>;
}

/** The permission to run a job was lost before there was one. */
export const permitLost: Error = new Error('the permission to run a job was lost');

const nobodyLeft = new Error('nobody wants a job any more');

/** Whether it may be otherwise a little later, so that whoever waits for a job goes on. */
export function mayPass(error: unknown, { connection }: QueueParts): boolean {
  if (isConclaveError(error, 'SESSION_LOST')) return !connection.isForOneSession;
  return (
    isConclaveError(error, 'UNAVAILABLE') ||
    isConclaveError(error, 'OUTCOME_UNKNOWN') ||
    isConclaveError(error, 'RESOURCE_EXHAUSTED') ||
    isConclaveError(error, 'COMPACTED')
  );
}
