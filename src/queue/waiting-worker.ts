import { toText } from '../base/bytes.js';
import type { Runtime, Timer } from '../base/runtime.js';
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
import { FirstJobs, manyJobs } from './first-jobs.js';
import type { QueueLayout } from './layout.js';
import { recordIn } from './job.js';
import type { Search, WaitingJob } from './search.js';

/** How long a job may lie there before a worker takes it whose turn it is not: those before it may not be running. */
const patienceMs = 250;
/** How often to look although the watch has told nothing: some etcd versions lose events (3.4.23 around compactions). */
const recheckMs = 15_000;

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
  readonly #jobs = new FirstJobs();
  /** The workers, as last seen. */
  #workers: LineState | undefined;
  #early: (readonly [revision: bigint, events: readonly StoreEvent[]])[] = [];
  /** Everything up to here is in `#jobs`; undefined while it is being looked for. */
  #completeAt: bigint | undefined;
  #watch: Watch | undefined;
  #recheck: Timer | undefined;
  /** Aborts when it waits no more. */
  readonly #over = new AbortController();
  #onChange: () => void = () => {};
  #onWoken: () => void = () => {};
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

  /** Ends `untilTurn`, without a turn. */
  wake(): void {
    this.#onWoken();
  }

  /**
   * Resolves when it is its turn to take a job, with what to try; with undefined if it was woken. While nothing happens,
   * nothing is sent, but for a look now and then.
   *
   * @throws the signal's reason; SessionLostError; ConflictError if somebody removed its ticket
   */
  async untilTurn(signal: AbortSignal): Promise<Turn | undefined> {
    const { views } = this.#connection;
    const [spot] = this.#ticket.spots;
    if (!spot) throw new TypeError('a worker without a place');
    const patience = new Patience(this.#connection.runtime);
    try {
      return await withOwnSignal(signal, async (over) => {
        const decided = new Promise<Turn | undefined>((resolve, reject) => {
          const decide = (isLate: boolean): void => {
            const turn = this.#turn(isLate);
            if (turn) return resolve(turn);
            this.#lookIfShort();
            patience.about(this.#takeable[0]?.key, () => decide(true));
          };
          this.#onChange = () => decide(false);
          this.#onWoken = () => resolve(undefined);
          this.#onBroken = reject;
        });
        this.#watch ??= this.#open();
        const follow = views.view(this.#line).until(
          spot.taken,
          (state) => {
            this.#workers = state;
            this.#onChange();
            return !this.#standsIn(state);
          },
          over,
        );
        const gone = follow.then(() => this.#ticket.explainGone(over));
        return raceSignal(raceSignal(Promise.race([decided, gone]), over), this.session.signal);
      });
    } finally {
      patience.end();
      this.#onChange = this.#onWoken = this.#onBroken = () => {};
    }
  }

  #standsIn({ revision, tickets }: LineState): boolean {
    const { key, createRevision } = this.#ticket;
    return revision < createRevision || placeOf(tickets, key, createRevision) >= 0;
  }

  /** What lies there, as far as it is known: nothing to take while the queue is paused. */
  get #takeable(): readonly WaitingJob[] {
    if (this.#completeAt === undefined || !this.#workers) return [];
    return isPaused(this.#workers.settings, this.#layout) ? [] : this.#jobs.all;
  }

  get #place(): number {
    const { key, createRevision } = this.#ticket;
    return Math.max(0, placeOf(this.#workers?.tickets ?? [], key, createRevision));
  }

  #turn(isLate: boolean): Turn | undefined {
    const jobs = this.#takeable;
    const place = isLate ? 0 : this.#place;
    const mine = jobs[place];
    if (!mine) return undefined;
    return place === 0 ? { jobs, if: [] } : { jobs: [mine], if: [this.#search.isFirst(mine)] };
  }

  /** Which job is its own may lie behind those it knows, since others have taken them. */
  #lookIfShort(): void {
    if (this.#completeAt === undefined || !this.#watch || !this.#jobs.isCut) return;
    if (this.#jobs.all.length < Math.min(this.#place + 1, manyJobs / 2)) void this.#look(this.#watch);
  }

  /** From now: a watch that begins at or below the present is served late. What lies there already is searched for then. */
  #open(): Watch {
    this.#completeAt = undefined;
    this.#early = [];
    const watch: Watch = this.#connection.store.listen(
      prefix(this.#layout.ready.prefix),
      {},
      {
        created: () => void this.#look(watch),
        events: (revision, events) => {
          this.#early.push([revision, events]);
          this.#apply(watch);
        },
        // Compacted, or some such: from now, then.
        ended: (error) => this.#broken(watch, error),
      },
    );
    return watch;
  }

  /** At all there is: what the watch tells of it counts for nothing. Never rejects. */
  async #look(watch: Watch): Promise<void> {
    this.#completeAt = undefined;
    this.#recheck?.cancel();
    try {
      const limit = Math.min(manyJobs, this.#place + 16);
      const { revision, jobs } = await this.#search.first(limit, this.#over.signal);
      if (this.#watch !== watch) return;
      this.#jobs.begin(jobs, limit);
      this.#completeAt = revision;
      const again = (): void => void this.#look(watch);
      this.#recheck = this.#connection.runtime.setTimer(recheckMs, again, { background: true });
      this.#onChange();
      this.#apply(watch);
    } catch (error) {
      this.#broken(watch, error);
    }
  }

  #apply(watch: Watch): void {
    if (this.#completeAt === undefined) return;
    try {
      for (const [revision, events] of this.#early.splice(0)) {
        if (revision <= this.#completeAt) continue;
        this.#completeAt = revision;
        for (const event of events) this.#applyEvent(event);
      }
      this.#onChange();
    } catch (error) {
      this.#broken(watch, error); // what a newer version has put there
    }
  }

  #applyEvent({ type, kv }: StoreEvent): void {
    const key = toText(kv.key);
    if (type === 'delete') return this.#jobs.remove(key);
    const { ready } = this.#layout;
    const lane = ready.lane(Number(key.slice(ready.prefix.length, ready.prefix.length + 1)));
    this.#jobs.put({ id: idIn(key), lane, key, modRevision: kv.modRevision, record: recordIn(kv) });
  }

  #broken(watch: Watch, error: unknown): void {
    if (this.#watch !== watch) return;
    this.#stopWatching();
    this.#onBroken(error);
  }

  #stopWatching(): void {
    this.#recheck?.cancel();
    this.#watch?.cancel();
    this.#watch = undefined;
  }

  #close(): void {
    this.#stopWatching();
    this.#over.abort();
  }
}

/** Runs out when one job has been the first for too long. */
class Patience {
  readonly #runtime: Runtime;
  #about: string | undefined;
  #timer: Timer | undefined;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** @param key of the first job; undefined: there is none */
  about(key: string | undefined, runOut: () => void): void {
    if (key === this.#about) return;
    this.end();
    this.#about = key;
    if (key !== undefined) this.#timer = this.#runtime.setTimer(patienceMs, runOut);
  }

  end(): void {
    this.#timer?.cancel();
  }
}

/** Whether no job may be taken now. @param settings what stands beside the tickets of the workers */
function isPaused(settings: LineState['settings'], { paused }: QueueLayout): boolean {
  return settings.some(({ key }) => toText(key) === paused);
}

/** Its place is all that counts. */
const waiting = demand(noOlderTicket);
