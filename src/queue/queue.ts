import { isConclaveError } from '../base/errors.js';
import type { Timer } from '../base/runtime.js';
import type { InferInput, InferOutput, StandardSchema } from '../base/schema.js';
import { checkOptions, Wait, type WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import type { Timing } from './calendar.js';
import { cancel } from './cancel.js';
import { Consumer } from './consumer.js';
import { DeadLetters } from './dead-letters.js';
import type { Delivery } from './delivery.js';
import { draftOf, transactions } from './draft.js';
import { type Draft, type Enqueued, Enqueuer } from './enqueuer.js';
import { type QueueEvent, queueEvents } from './events.js';
import { fireSchedules } from './firing.js';
import { fillGroup } from './groups.js';
import { inspect, type QueueState } from './inspect.js';
import { QueueLayout } from './layout.js';
import { setPaused } from './pause.js';
import { Permits } from './permits.js';
import {
  type CheckedQueueOptions,
  checkQueueOptions,
  type EnqueueOptions,
  type QueueOptions,
} from './queue-options.js';
import { Retention } from './retention.js';
import type { Schedule } from './schedule.js';
import { type ScheduleOptions, Schedules } from './schedules.js';
import { Search } from './search.js';
import type { QueueParts } from './settle.js';
import { type JobEnd, waitFor } from './wait-for.js';
import { type Duty, Upkeep } from './upkeep.js';
import { work, type WorkOptions } from './work.js';

/** One of the jobs of `enqueueAll`. */
export interface NewJob<Input> extends EnqueueOptions {
  readonly value: Input;
}

/**
 * A queue of jobs, for workers in any number of processes: each job is worked on by one at a time, until one has done it.
 *
 * Guarantees:
 * - A job that `enqueue` has confirmed is delivered until a worker acknowledges it, it becomes a dead letter, or somebody
 *   cancels it. Workers that are lost are noticed within the time of their session; the job goes to another.
 * - Fenced: a worker that has lost its delivery cannot acknowledge, fail or retry it: its call rejects.
 * - In order: if one `enqueue` has resolved before another of the same priority began, its job is taken first (the first
 *   time: jobs that are tried again go to the end).
 * - `enqueue` puts a job once, also if answers are lost; with an `id`, also if it is called again.
 * - What an operation costs does not grow with how many jobs wait.
 *
 * Not guaranteed: that a job is worked on only once. Guard what it writes, by `delivery.guard()` or by its `fencingToken`.
 *
 * Use one object for a queue in a process: what it enqueues keeps its order, and who waits shares requests.
 */
export class Queue<Schema extends StandardSchema = StandardSchema> {
  /** Jobs that failed for good: to be looked at, retried or dropped. */
  readonly deadLetters: DeadLetters;
  readonly #connection: Connection;
  readonly #parts: QueueParts;
  readonly #options: CheckedQueueOptions;
  readonly #enqueuer: Enqueuer;
  readonly #consumer: Consumer;
  readonly #permits: Permits;
  readonly #schedules: Schedules;
  readonly #upkeep: Upkeep;

  /** @internal No I/O. @throws TypeError, RangeError for a bad name or option */
  constructor(connection: Connection, name: string, options: QueueOptions<Schema> = {}) {
    const layout = new QueueLayout(connection.namespace, name);
    this.#connection = connection;
    this.#options = checkQueueOptions(options, layout.title);
    this.#parts = { connection, layout, retention: new Retention(connection, this.#options.keepMs) };
    this.#enqueuer = new Enqueuer(this.#parts, this.#options.maxSize);
    const onEnd = (group: string | undefined): void => this.#fill(group);
    const search = new Search(connection.store, layout.ready);
    this.#consumer = new Consumer(this.#parts, this.#options, search, onEnd);
    this.#permits = new Permits(this.#parts, this.#options.maxRunning);
    this.deadLetters = new DeadLetters(this.#parts, onEnd);
    this.#schedules = new Schedules(this.#parts, this.#options);
    const fire: Duty = (signal) => fireSchedules(this.#parts, onEnd, signal);
    this.#upkeep = new Upkeep(this.#parts, this.#options, [fire]);
  }

  /**
   * Puts a job. Resolves when it is there for good: two round trips, for all that are put at a time.
   *
   * @throws InvalidValueError, TypeError, RangeError before any I/O; ResourceExhaustedError if the queue is full
   * (`maxSize`), or the store; UnavailableError if the store cannot be reached: nothing was put; OutcomeUnknownError if it
   * was lost sight of: call again with the same `id`
   */
  async enqueue(value: InferInput<Schema>, options: EnqueueOptions = {}): Promise<Enqueued> {
    const draft = await draftOf(this.#parts, this.#options, value, options);
    const [enqueued] = await this.#put([draft]);
    if (!enqueued) throw new TypeError('nothing was put');
    return enqueued;
  }

  /**
   * Puts jobs, in this order; up to 40 in one transaction, all of them or none.
   *
   * @throws as `enqueue`; of more than 40 those before the ones that failed are there
   */
  async enqueueAll(jobs: readonly NewJob<InferInput<Schema>>[]): Promise<readonly Enqueued[]> {
    if (!Array.isArray(jobs)) throw new TypeError('enqueueAll needs an array of { value, ...options }');
    const drafts: Draft[] = [];
    for (const job of jobs as readonly NewJob<InferInput<Schema>>[]) {
      const { value, ...options } = job;
      drafts.push(await draftOf(this.#parts, this.#options, value, options));
    }
    const enqueued: Enqueued[] = [];
    for (const some of transactions(drafts)) enqueued.push(...(await this.#put(some)));
    return enqueued;
  }

  /**
   * Waits for a job and takes it. Settle it: `ack`, `retry` or `fail`; disposed of otherwise, it is given back. One search
   * and one transaction, for all who wait in this process; while there are no jobs nothing
   * is sent but a look every 15 s.
   *
   * Goes on while the store is away, and under the next session after a loss, until the wait ends.
   *
   * @throws WaitTimeoutError, the signal's reason, ClosedError: a job taken at that moment is given back; AuthError
   */
  async receive(options: WaitOptions = {}): Promise<Delivery<InferOutput<Schema>>> {
    const { layout } = this.#parts;
    const wait = Wait.start(this.#connection.runtime, options, `${layout.title}: receive`);
    wait.endsWith(this.#connection.closing);
    const limit = wait.immediate ? this.#limit(wait) : undefined;
    try {
      wait.signal.throwIfAborted();
      this.#upkeep.start();
      return await this.#permits.with(wait, (permit) => this.#consumer.receive(wait, permit));
    } finally {
      limit?.cancel();
      wait.end();
    }
  }

  /**
   * Works on jobs, one after the other or several at a time, until `signal` aborts: what the handler returns is the result
   * (`ack`); what it throws counts as a failure, and the job is tried again later (`FailJob`: it is not).
   *
   * When told to stop it takes no more jobs, tells running handlers (`delivery.signal`, while they still hold their jobs),
   * waits for them up to `drainTimeoutMs`, and resolves. What a handler throws then gives its job back, uncounted.
   *
   * @throws ClosedError if the Conclave was closed first; AuthError, or whatever does not pass by itself
   */
  async work(
    handler: (delivery: Delivery<InferOutput<Schema>>) => unknown,
    options: WorkOptions = {},
  ): Promise<void> {
    return work(this.#connection, this.#parts.layout.title, (wait) => this.receive(wait), handler, options);
  }

  /**
   * Puts a job at each of the times, until `unschedule`: `{ cron: '0 3 * * *', timeZone: 'Europe/Berlin' }` or
   * `{ everyMs: 60_000 }`. For every process to call when it starts: the same again changes nothing; another timing begins now,
   * anything else holds from the next job on.
   *
   * Each instant is fired once, whatever crashes, by one of the processes that have called this or `receive`, by its clock.
   * The job's id is the name, `@` and the instant (ISO 8601). While none of them was there instants are missed, see `catchUp`.
   * A clock that goes back fires nothing again. `maxSize` does not stop it: nobody would hear of that.
   *
   * @returns the schedule, with its next instant
   * @throws TypeError, RangeError, InvalidValueError before any I/O; ConflictError if a newer version of this library has put
   * it; otherwise as `enqueue`
   */
  async schedule(
    name: string,
    when: Timing,
    value: InferInput<Schema>,
    options: ScheduleOptions = {},
  ): Promise<Schedule> {
    const schedule = await this.#schedules.put(name, when, value, options);
    this.#upkeep.start();
    return schedule;
  }

  /** Ends a schedule; jobs that it has put stay. @returns false if there is none @throws as `enqueue` */
  async unschedule(name: string): Promise<boolean> {
    return this.#schedules.remove(name);
  }

  /** All schedules of the queue, by name. @throws ConflictError if a newer version of this library has put one */
  async schedules(): Promise<readonly Schedule[]> {
    return this.#schedules.list();
  }

  /** From when this resolves on nobody takes a job, in any process. What runs goes on. @throws as `enqueue` */
  async pause(): Promise<void> {
    return setPaused(this.#parts, true);
  }

  /** Jobs are taken again. @throws as `enqueue` */
  async resume(): Promise<void> {
    return setPaused(this.#parts, false);
  }

  /** How many jobs wait, run and so on, and who works on what. The store counts: nothing of the jobs that wait is sent. */
  async inspect(): Promise<QueueState> {
    return inspect(this.#parts);
  }

  /**
   * Takes back a job that has not ended. One that waits is never begun; one that runs is told so (`delivery.signal`), and is
   * not tried again if its handler gives up, or its worker is lost.
   *
   * @returns `waiting` or `running`, as it was; undefined if there is no such job (any more)
   * @throws as `enqueue`
   */
  async cancel(id: string): Promise<'waiting' | 'running' | undefined> {
    const was = await cancel(this.#parts, id);
    if (was) this.#fill(was.group);
    return was?.state;
  }

  /**
   * Waits until a job has ended, and tells how; at once if it has already. One read and one watch of one key, however long
   * it takes; goes on while the store is away. A dead letter has ended, one that was put back has not.
   *
   * Of a job without an `id` of its own nothing is kept but a result. If nothing at all is kept (`keepMs: 0`, or the store
   * had no space), one that was acknowledged although somebody had cancelled it counts as cancelled.
   *
   * @throws NotFoundError if there is no such job: it was never put, or ended longer than `keepMs` ago;
   * WaitTimeoutError, the signal's reason, ClosedError; AuthError
   */
  async waitFor<Result = unknown>(id: string, options: WaitOptions = {}): Promise<JobEnd<Result>> {
    return (await waitFor(this.#parts, id, options)) as JobEnd<Result>;
  }

  /**
   * What happens to the jobs, wherever, in order: from now on, beginning with `watching`. None twice, and none left out
   * without saying so: what was compacted away before it could be told is `missed`. A delivery that ends is told once, by
   * what becomes of its job: `completed`, `retrying`, `returned`, `crashed`, `dead` or `cancelled`. What some versions of
   * etcd lose themselves (3.4.23 at compactions) is not noticed.
   *
   * One watch, over all that is stored of the queue, and nothing before the first `next()`. `break` ends it. While nobody
   * reads, the watch stops; it goes on where it was.
   *
   * @throws the signal's reason; ClosedError; AuthError; ConflictError if a newer version of this library wrote something.
   * It does not end otherwise: while the store is away it waits.
   */
  events(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<QueueEvent, void, undefined> {
    checkOptions(options, ['signal'], `${this.#parts.layout.title}: events`);
    return queueEvents(this.#parts, options.signal);
  }

  async #put(drafts: readonly Draft[]): Promise<readonly Enqueued[]> {
    const enqueued = await this.#enqueuer.put(drafts);
    const groups = new Set(drafts.map(({ body }) => body.group));
    for (const group of groups) this.#fill(group);
    return enqueued;
  }

  /** One attempt takes no longer than the store's own time limit: over its quota it may be in doubt until there is space. */
  #limit(wait: Wait): Timer {
    const { runtime, store } = this.#connection;
    const over = new AbortController();
    wait.endsWith(over.signal);
    return runtime.setTimer(store.timeoutMs, () => {
      if (wait.obstacle === '') wait.obstacle = '; the store does not answer';
      over.abort(wait.timeout());
    });
  }

  /** In the background: should it not come to that, whoever looks after the queue does it. */
  #fill(group: string | undefined): void {
    if (group === undefined || this.#connection.closing.aborted) return;
    const { groupConcurrency } = this.#options;
    const filling = fillGroup(this.#parts, group, groupConcurrency, this.#connection.closing);
    void this.#connection.track(filling.catch((error: unknown) => void isConclaveError(error)));
  }
}
