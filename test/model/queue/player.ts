import { type Delivery, type EnqueueOptions, put, type Queue } from '../../../src/index.js';
import { QueueLayout } from '../../../src/queue/layout.js';
import { Search } from '../../../src/queue/search.js';
import type { Probe, World } from '../../../src/testing/index.js';
import { Actor, actorCount } from '../actor.js';
import { cancelled } from '../operations.js';
import { chosen, type Fault, type Mishap } from '../steps.js';
import { befall, strike } from '../strike.js';
import { Calls } from './calls.js';
import { QueueModel } from './model.js';
import type { JobWish, QueueMove, QueueSchedule, QueueStep } from './steps.js';
import { type Put, Told } from './told.js';

interface Held {
  readonly actor: Actor;
  readonly delivery: Delivery;
}

export const queuePrefix = 'conclave/queue/q/';

/** Far longer than any request waits for an answer. */
const slackMs = 10_000;

/** Plays a schedule: processes that put jobs and work on them, and things that happen to them. */
export class QueuePlayer {
  readonly actors: Actor[] = [];
  readonly model: QueueModel;
  readonly told: Told;
  readonly calls: Calls;
  readonly armed: Set<{ cancel(): void }> = new Set();
  readonly #world: World;
  readonly #setting: QueueSchedule['setting'];
  readonly #places: Actor[] = [];
  readonly #queues = new Map<Actor, Queue>();
  #held: Held[] = [];
  #isEnding = false;
  #jobs = 0;

  constructor(
    world: World,
    setting: QueueSchedule['setting'],
    listeners: { readonly report: (violation: string) => void; readonly see: (what: string) => void },
  ) {
    this.#world = world;
    this.#setting = setting;
    const { report } = listeners;
    this.model = new QueueModel({
      prefix: queuePrefix,
      setting,
      slackMs,
      now: () => world.now(),
      ...listeners,
    });
    this.told = new Told(this.model, report);
    this.calls = new Calls({ revision: () => world.revision, ...listeners });
    for (let place = 0; place < actorCount; place++) this.actorAt(place);
  }

  /** The one that lives there now. */
  actorAt(place: number): Actor {
    const present = this.#places[place];
    if (present?.state === 'living') return present;
    const actor = new Actor(this.#world, place);
    this.#places[place] = actor;
    this.actors.push(actor);
    return actor;
  }

  /** One object in each process. */
  queueOf(actor: Actor): Queue {
    const { groupConcurrency, maxRunning, maxCrashes, keepMs } = this.#setting;
    const queue =
      this.#queues.get(actor) ??
      actor.conclave.queue('q', {
        backoff: { minMs: 300, maxMs: 1_000 },
        ...{ groupConcurrency, maxCrashes, keepMs },
        ...(maxRunning !== undefined && { maxRunning }),
      });
    this.#queues.set(actor, queue);
    return queue;
  }

  async play(step: QueueStep): Promise<void> {
    if (step.do === 'pass') {
      // Just the time.
    } else if (isMove(step)) this.#move(step, step.mishap);
    else this.#strike(step);
    if (step.thenMs !== undefined) await this.#world.advance(step.thenMs);
  }

  /** What is held is done, and nobody waits any more. */
  end(): void {
    this.#isEnding = true;
    for (const held of this.#held.splice(0)) this.#settle(held, 'ack');
    for (const { doing, controller } of this.calls.pending)
      if (doing === 'receive') controller.abort(cancelled);
  }

  #strike(fault: Fault<Probe>): void {
    this.calls.isCalm = false;
    if (fault.do === 'quota') this.model.mayForget = true;
    strike(fault, {
      world: this.#world,
      actorAt: (place) => this.actorAt(place),
      beforeRevoke: (leases) => this.model.revoked(leases),
      judge: { compacting: (compact) => compact() },
      armed: this.armed,
    });
  }

  #befall(actor: Actor, mishap: Mishap | undefined): void {
    if (!mishap) return;
    this.calls.isCalm = false;
    befall(mishap, 'txn', actor, this.#world);
  }

  #move(move: QueueMove, mishap: Mishap | undefined): void {
    if (move.do === 'elsewhere') return this.#writeElsewhere();
    if (!('by' in move)) return this.#moveOne(move, mishap);
    const actor = this.actorAt(move.by);
    if (!actor.isRunning) return;
    this.#befall(actor, mishap);
    switch (move.do) {
      case 'enqueue':
        return this.#enqueue(actor, move.jobs);
      case 'receive':
        return this.#receive(actor, move.timeoutMs);
      case 'cancel':
      case 'waitFor': {
        const life = chosen(this.model.lives.slice(-8), move.which);
        if (!life) return;
        return move.do === 'cancel' ? this.#cancel(actor, life.id) : this.#waitFor(actor, life.id);
      }
      case 'retryDead':
      case 'dropDead': {
        const id = chosen(this.model.dead, move.which);
        return id === undefined ? undefined : this.#dead(actor, id, move.do);
      }
      case 'retryAllDead': {
        const { deadLetters } = this.queueOf(actor);
        return this.calls.start(
          { doing: 'deadLetters', actor },
          () => deadLetters.retryAll(),
          () => {},
        );
      }
      case 'moveFloors':
        return void this.#moveFloors(actor).catch(() => {});
      case 'pauseQueue':
      case 'resumeQueue':
        return this.setPaused(actor, move.do === 'pauseQueue');
      case 'close':
        this.#held = this.#held.filter((held) => held.actor !== actor);
        void actor.close().catch(() => {});
    }
  }

  #moveOne(
    move: Exclude<QueueMove, { readonly by: number } | { readonly do: 'elsewhere' }>,
    mishap: Mishap | undefined,
  ): void {
    if (move.do === 'giveUp') {
      const waits = this.calls.pending.filter(({ doing, actor }) => doing === 'receive' && actor.isRunning);
      return chosen(waits, move.which)?.controller.abort(cancelled);
    }
    const held = chosen(
      this.#held.filter(({ actor }) => actor.isRunning),
      move.which,
    );
    if (!held) return;
    this.#befall(held.actor, mishap);
    if (move.do === 'progress') {
      const { actor, delivery } = held;
      return this.calls.start(
        { doing: 'progress', actor },
        () => delivery.progress(1),
        () => {},
      );
    }
    this.#held = this.#held.filter((each) => each !== held);
    this.#settle(held, move.do, move.do === 'retry' ? move.delayMs : undefined);
  }

  #enqueue(actor: Actor, wishes: readonly JobWish[]): void {
    const now = actor.peer.runtime.wallNow();
    const ids = wishes.flatMap(({ id }) => id ?? []);
    const isAllOrNone = new Set(ids).size === ids.length;
    const puts: readonly Put[] = wishes.map((wish, index) => ({
      tag: `t${++this.#jobs}`,
      wish,
      index,
      isAlone: wishes.length === 1,
    }));
    for (const { tag } of puts) this.told.attempts(tag);
    const jobs = puts.map(({ tag, wish }) => ({ value: { tag }, ...optionsOf(wish, now) }));
    const queue = this.queueOf(actor);
    const [first] = jobs;
    if (!first) return;
    const { value, ...options } = first;
    this.calls.start(
      { doing: 'enqueue', actor },
      async () => (jobs.length === 1 ? [await queue.enqueue(value, options)] : queue.enqueueAll(jobs)),
      (enqueued, call) => {
        puts.forEach((put, i) => {
          const { id = '', created = false } = enqueued[i] ?? {};
          this.told.enqueued(put, id, created, call);
        });
      },
      (code, call) => {
        if (code !== 'OUTCOME_UNKNOWN' && code !== 'CLOSED' && isAllOrNone)
          for (const { tag } of puts) this.told.notEnqueued(tag, call);
      },
    );
  }

  #receive(actor: Actor, timeoutMs: number | undefined): void {
    this.calls.start(
      { doing: 'receive', actor, timeoutMs },
      (signal) => this.queueOf(actor).receive({ signal, ...(timeoutMs !== undefined && { timeoutMs }) }),
      (delivery, call) => {
        this.told.delivered(delivery, String((delivery.value as { tag?: unknown }).tag), call);
        const held = { actor, delivery };
        if (this.#isEnding) this.#settle(held, 'ack');
        else if (actor.state === 'living') this.#held.push(held);
      },
      (code, call, { message }) => {
        if (code !== 'WAIT_TIMEOUT' || timeoutMs !== 0) return;
        if (message.includes('run already')) this.told.busy(call);
        // It could ask.
        else if (!message.includes(';')) this.told.empty(call);
      },
    );
  }

  #settle({ actor, delivery }: Held, how: 'ack' | 'retry' | 'fail' | 'release', delayMs?: number): void {
    const { id, fencingToken } = delivery;
    const ways = {
      ack: () => delivery.ack(),
      retry: () => delivery.retry(delayMs === undefined ? {} : { delayMs }),
      fail: () => delivery.fail('no'),
      release: () => delivery.release(),
    };
    const as = {
      ack: ['completed'],
      retry: ['failed', 'dead', 'cancelled'],
      fail: ['dead', 'cancelled'],
      release: ['returned', 'cancelled'],
    } as const;
    this.calls.start(
      { doing: how, actor },
      ways[how],
      (_, call) => this.told.settled(id, fencingToken, as[how], call),
      (code, call) => {
        if (code === 'HOLD_LOST') this.told.notSettled(id, fencingToken, call);
      },
    );
  }

  #writeElsewhere(): void {
    const { engine } = this.#world;
    if (!engine.noSpace) for (let i = 0; i < 70; i++) engine.execute('put', put('elsewhere', ''));
  }

  /** As consumers do after many jobs. */
  async #moveFloors({ conclave }: Actor): Promise<void> {
    const search = new Search(conclave.store, new QueueLayout('conclave', 'q').ready);
    await search.first(1, new AbortController().signal);
    await search.moveFloors();
  }

  #cancel(actor: Actor, id: string): void {
    this.calls.start(
      { doing: 'cancel', actor },
      () => this.queueOf(actor).cancel(id),
      (was, call) => this.told.cancelled(id, was, call),
    );
  }

  #waitFor(actor: Actor, id: string): void {
    this.calls.start(
      { doing: 'waitFor', actor },
      (signal) => this.queueOf(actor).waitFor(id, { signal }),
      ({ state }, call) => this.told.ended(id, state, call),
      (code, call) => {
        if (code === 'NOT_FOUND') this.told.unknown(id, call);
      },
    );
  }

  #dead(actor: Actor, id: string, how: 'retryDead' | 'dropDead'): void {
    const { deadLetters } = this.queueOf(actor);
    const isRetry = how === 'retryDead';
    this.calls.start(
      { doing: 'deadLetters', actor },
      () => (isRetry ? deadLetters.retry(id) : deadLetters.drop(id)),
      (isDone, call) => {
        if (isRetry) this.told.retriedDead(id, isDone, call);
        else this.told.droppedDead(id, isDone, call);
      },
    );
  }

  setPaused(actor: Actor, isPaused: boolean): void {
    const queue = this.queueOf(actor);
    this.calls.start(
      { doing: isPaused ? 'pause' : 'resume', actor },
      () => (isPaused ? queue.pause() : queue.resume()),
      (_, call) => this.told.paused(isPaused, call),
    );
  }
}

function optionsOf(
  { id, group, priority, attempts, runInMs, expiresInMs }: JobWish,
  now: number,
): EnqueueOptions {
  return {
    ...{ priority, attempts },
    ...(id !== undefined && { id }),
    ...(group !== undefined && { group }),
    ...(runInMs !== undefined && { runAt: now + runInMs }),
    ...(expiresInMs !== undefined && { expiresAt: now + expiresInMs }),
  };
}

const moves: readonly string[] = [
  'enqueue',
  'receive',
  'giveUp',
  'ack',
  'retry',
  'fail',
  'release',
  'progress',
  'cancel',
  'waitFor',
  'retryDead',
  'dropDead',
  'retryAllDead',
  'moveFloors',
  'elsewhere',
  'pauseQueue',
  'resumeQueue',
  'close',
] satisfies QueueMove['do'][];

function isMove(step: Exclude<QueueStep, { readonly do: 'pass' }>): step is Extract<QueueStep, QueueMove> {
  return moves.includes(step.do);
}
