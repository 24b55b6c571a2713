import { toText } from '../base/bytes.js';
import type { Timer } from '../base/runtime.js';
import { raceSignal, withOwnSignal } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { demand } from '../session/demand.js';
import { leaveLine } from '../session/giving-up.js';
import { Line, type LineState, placeOf } from '../session/line.js';
import { noOlderTicket } from '../session/rules.js';
import type { Session } from '../session/session.js';
import { takeTicket } from '../session/take.js';
import type { Ticket } from '../session/ticket.js';
import { type Compare, prefix, remove, type RemoveOp } from '../store/operations.js';
import type { StoreEvent } from '../store/results.js';
import type { Watch } from '../store/watch.js';
import { idIn } from './lane.js';
import type { QueueLayout } from './layout.js';
import { recordIn } from './job.js';
import type { Search, WaitingJob } from './search.js';

/** How long a job may lie there before a worker takes it whose turn it is not: those before it may not be running. */
const patienceMs = 250;
/** More jobs than that are not kept in mind; whoever waits for one does not need them. */
const manyJobs = 256;

export interface Turn {
  readonly jobs: readonly WaitingJob[];
  readonly if: readonly Compare[];
}

/**
 * A worker that waits for a job. All who do stand in a line, and the i-th of them reacts to the i-th job, so that they do
 * not all run for one. Whoever is not the first takes its job only if those before it are taken: a worker that is stuck
 * holds others up for a moment, but the order is kept.
 */
export class WaitingWorker {
  readonly session: Session;
  readonly #connection: Connection;
  readonly #layout: QueueLayout;
  readonly #search: Search;
  readonly #ticket: Ticket;
  readonly #line: Line;
  readonly #jobs = new Map<string, WaitingJob>();
  #early: (readonly [revision: bigint, events: readonly StoreEvent[]])[] = [];
  /** Everything up to here is in `#jobs`; undefined while the watch is being opened. */
  #completeAt: bigint | undefined;
  #watch: Watch | undefined;
  #onChange: () => void = () => {};
  #onBroken: (error: unknown) => void = () => {};

  /** One round trip. */
  static async stand(
    connection: Connection,
    layout: QueueLayout,
    search: Search,
    session: Session,
    signal: AbortSignal,
  ): Promise<WaitingWorker> {
    const line = new Line({
      prefix: layout.workers,
      ticketPrefix: `${layout.workers}t/`,
      title: layout.title,
    });
    const request = {
      session,
      lines: [line],
      title: `worker of ${layout.title}`,
      demand: waiting,
      views: connection.views,
    };
    const ticket = await takeTicket(request, { signal });
    return new WaitingWorker(connection, layout, search, line, ticket);
  }

  private constructor(
    connection: Connection,
    layout: QueueLayout,
    search: Search,
    line: Line,
    ticket: Ticket,
  ) {
    this.session = ticket.session;
    this.#connection = connection;
    this.#layout = layout;
    this.#search = search;
    this.#line = line;
    this.#ticket = ticket;
  }

  /** What has to be removed by whoever gets a job: part of the transaction that takes it. */
  leaving(): readonly RemoveOp[] {
    return [remove(this.#ticket.key)];
  }

  /** It has got one, and its ticket is gone. */
  hasLeft(): void {
    this.session.news.end(this.#ticket.key);
    this.#close();
  }

  /** Gives up. Never rejects. */
  async leave(): Promise<void> {
    this.#close();
    await leaveLine(this.#ticket);
  }

  /**
   * Resolves when it is its turn to take a job, with what to try. No request is sent while nothing happens.
   *
   * @throws the signal's reason; SessionLostError; ConflictError if somebody removed its ticket
   */
  async untilTurn(signal: AbortSignal): Promise<Turn> {
    const { runtime, views } = this.#connection;
    const [spot] = this.#ticket.spots;
    if (!spot) throw new TypeError('a worker without a place');
    let line = spot.taken;
    let timer: Timer | undefined;
    try {
      const turn = await withOwnSignal(signal, (over) => {
        const decided = new Promise<Turn>((resolve, reject) => {
          const decide = (isLate: boolean): void => {
            const turn = this.#turnIn(line, isLate);
            if (turn) return resolve(turn);
            timer?.cancel();
            timer = this.#hasJobs(line) ? runtime.setTimer(patienceMs, () => decide(true)) : undefined;
          };
          this.#onChange = () => decide(false);
          this.#onBroken = reject;
        });
        this.#watch ??= this.#open(over);
        const follow = views.view(this.#line).until(
          spot.taken,
          (state) => {
            line = state;
            this.#onChange();
            return !this.#standsIn(state);
          },
          over,
        );
        const gone = follow.then(() => undefined);
        return raceSignal(Promise.race([decided, gone]), over);
      });
      this.session.assertAlive();
      return turn ?? (await this.#ticket.explainGone(signal));
    } finally {
      timer?.cancel();
      this.#onChange = () => {};
      this.#onBroken = () => {};
    }
  }

  #standsIn({ revision, tickets }: LineState): boolean {
    const { key, createRevision } = this.#ticket;
    return revision < createRevision || placeOf(tickets, key, createRevision) >= 0;
  }

  /** Nothing to take while the queue is paused. */
  #hasJobs({ settings }: LineState): boolean {
    return this.#completeAt !== undefined && this.#jobs.size > 0 && !isPaused(settings, this.#layout);
  }

  #turnIn(line: LineState, isLate: boolean): Turn | undefined {
    if (!this.#hasJobs(line)) return undefined;
    const jobs = [...this.#jobs.values()].sort(inOrder);
    const place = isLate ? 0 : placeOf(line.tickets, this.#ticket.key, this.#ticket.createRevision);
    const mine = jobs[place];
    if (!mine) return undefined;
    return place === 0 ? { jobs, if: [] } : { jobs: [mine], if: [this.#search.isFirst(mine)] };
  }

  /** From now: a watch that begins at or below the present is served late. What lies there already is searched for then. */
  #open(signal: AbortSignal): Watch {
    this.#completeAt = undefined;
    this.#early = [];
    this.#jobs.clear();
    const watch: Watch = this.#connection.store.listen(
      prefix(this.#layout.ready.prefix),
      {},
      {
        created: () => void this.#fill(watch, signal),
        events: (revision, events) => {
          this.#early.push([revision, events]);
          this.#apply();
        },
        // Compacted, or some such: from now, then.
        ended: (error) => {
          if (this.#watch !== watch) return;
          this.#watch = undefined;
          this.#onBroken(error);
        },
      },
    );
    return watch;
  }

  async #fill(watch: Watch, signal: AbortSignal): Promise<void> {
    try {
      const { revision, jobs } = await this.#search.first(16, signal);
      if (this.#watch !== watch) return;
      for (const job of jobs) this.#jobs.set(job.key, job);
      this.#completeAt = revision;
      this.#apply();
      this.#onChange();
    } catch (error) {
      if (this.#watch === watch) {
        this.#close();
        this.#onBroken(error);
      }
    }
  }

  #apply(): void {
    if (this.#completeAt === undefined) return;
    for (const [revision, events] of this.#early.splice(0)) {
      if (revision <= this.#completeAt) continue;
      this.#completeAt = revision;
      for (const { type, kv } of events) {
        const key = toText(kv.key);
        if (type === 'delete') this.#jobs.delete(key);
        else if (this.#jobs.size < manyJobs) this.#jobs.set(key, this.#waitingJob(key, kv));
      }
      this.#onChange();
    }
  }

  #waitingJob(key: string, kv: StoreEvent['kv']): WaitingJob {
    const { ready } = this.#layout;
    const lane = ready.lane(Number(key.slice(ready.prefix.length, ready.prefix.length + 1)));
    return { id: idIn(key), lane, key, modRevision: kv.modRevision, record: recordIn(kv) };
  }

  #close(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
  }
}

/** Whether no job may be taken now. @param settings what stands beside the tickets of the workers */
function isPaused(settings: LineState['settings'], { paused }: QueueLayout): boolean {
  return settings.some(({ key }) => toText(key) === paused);
}

/** The most urgent first, then by the order of their keys. */
function inOrder(a: WaitingJob, b: WaitingJob): number {
  if (a.lane.prefix === b.lane.prefix) return a.key < b.key ? -1 : 1;
  return b.lane.priority - a.lane.priority;
}

/** Its place is all that counts. */
const waiting = demand(noOlderTicket);
