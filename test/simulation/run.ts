import { setMaxListeners } from 'node:events';
import { World, type WorldOptions } from '../../src/testing/index.js';
import { Random } from '../../src/testing/random.js';
import type { Change, Entry, Facts, Violation } from '../history/record.js';
import { judgeReplay } from '../history/replay.js';
import { nemesis, type Workload } from '../workload/workload.js';
import { SimulatedClient } from './client.js';
import { Dump } from './dump.js';
import type { Plan } from './plan.js';
import { type Scene, strike } from './strike.js';

/** What came of a run. */
export interface Outcome {
  /** None, if all is well. */
  readonly violations: readonly Violation[];
  readonly traceHash: string;
  readonly timeline: readonly string[];
  readonly entries: readonly Entry[];
  readonly changes: readonly Change[];
  /** Virtual. */
  readonly ms: number;
}

export interface RunOptions {
  readonly drain?: WorldOptions['drain'];
  /** @default true */
  readonly trace?: boolean;
  /** Sees the world before anything happens in it. */
  readonly onWorld?: (world: World) => void;
}

const namespace = 'conclave';
/** Between two things that happen at one time. A power of two keeps sums exact. */
const shortestMs = 2 ** -20;
/** Undoings are at most so late. */
const sliceMs = 50;
/** From the last fault on, everybody comes to a good end of a round within this: leases run out, penalties end. */
const defaultCalmLimitMs = 60_000;
/** Whoever is told to stop has stopped within this. */
const endLimitMs = 60_000;
/** What is left is done within this, though clocks that have jumped say that its time has not come. */
const finishLimitMs = 200_000;

/** Plays a plan in a world of its own. The same one goes the same way, on the same version of Node. */
export async function run(plan: Plan, workload: Workload, options: RunOptions = {}): Promise<Outcome> {
  const { drain, onWorld, trace = true } = options;
  const world = await World.open({ seed: plan.seed, trace, ...(drain && { drain }) });
  onWorld?.(world);
  const simulation = new Run(world, plan, workload);
  return simulation.play();
}

class Run {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #workload: Workload;
  readonly #random: Random;
  readonly #entries: Entry[] = [];
  readonly #violations: Violation[] = [];
  readonly #stopping = new AbortController();
  readonly #seats: SimulatedClient[] = [];
  readonly #all: SimulatedClient[] = [];
  readonly #dump: Dump;
  readonly #scene: Scene;
  /** A leader of the past misleads who hears of no newer one; so does a sleep with the wall clock set back meanwhile. */
  readonly #isTrustJudged: boolean;
  readonly #isAwake: boolean;
  #lastMoment = 0;
  /** Not in order. */
  #agenda: { readonly at: number; readonly act: () => void }[] = [];

  constructor(world: World, plan: Plan, workload: Workload) {
    setMaxListeners(0, this.#stopping.signal);
    this.#world = world;
    this.#plan = plan;
    this.#workload = workload;
    this.#random = new Random(plan.seed).split(3);
    this.#dump = new Dump(
      world,
      () => this.#moment(),
      (change, together) => {
        for (const client of this.#all) client.look(change, together);
      },
    );
    this.#scene = {
      world,
      peerAt: (seat) => this.#seat(seat).peer,
      replace: (seat, afterMs) => this.#later(afterMs, () => this.#sit(seat)),
      robbed: (peer) => this.#all.find((client) => client.peer === peer)?.robbed(),
      tell: (what, facts) => this.#note(what, facts),
      later: (afterMs, undo) => this.#later(afterMs, undo),
    };
    const kinds = new Set(plan.faults.map((fault) => fault.do));
    this.#isAwake = !kinds.has('suspend');
    this.#isTrustJudged = !kinds.has('staleTerms') && !(!this.#isAwake && kinds.has('jumpWall'));
    world.allowKeys('app/');
    world.allowKeys(`${namespace}/delay/`); // of a holder that was lost, until the next one
  }

  async play(): Promise<Outcome> {
    const world = this.#world;
    const rejected = (reason: unknown): void => this.#report('unhandled rejection', describe(reason));
    process.on('unhandledRejection', rejected);
    try {
      await this.#suffer();
      await this.#calm();
      await this.#end();
      const entries = this.#entries;
      const { changes } = this.#dump;
      const { ttlMs } = this.#plan;
      this.#violations.push(
        ...judgeReplay(changes, { isWhole: false }), // what a compaction takes is left out
        ...this.#workload.judge({ entries, changes, namespace, ttlMs }),
      );
    } catch (error) {
      this.#report('error', describe(error));
    } finally {
      process.off('unhandledRejection', rejected);
    }
    return {
      violations: this.#violations,
      traceHash: world.traceHash(),
      timeline: world.timeline(),
      entries: this.#entries,
      changes: this.#dump.changes,
      ms: world.now(),
    };
  }

  /** The faults, each at its time. */
  async #suffer(): Promise<void> {
    const { faults, clockRates, lengthMs } = this.#plan;
    clockRates.forEach((_, seat) => this.#sit(seat));
    for (const fault of faults) {
      // Before anybody has done anything, or what all do first would never be hit.
      if (fault.at > 0) await this.#passUntil(fault.at);
      this.#note(fault.do, { ...fault });
      strike(fault, this.#scene);
    }
    await this.#passUntil(lengthMs);
  }

  /** Nothing is wrong any more: all make headway. */
  async #calm(): Promise<void> {
    const world = this.#world;
    const { lasting = [], quietMs = 0 } = this.#plan;
    world.mend();
    for (const { act } of this.#agenda.splice(0)) act(); // new clients among others
    world.mend();
    for (const fault of lasting) strike(fault, this.#scene);
    this.#agenda = [];
    this.#note('healed', {});
    const end = world.now() + quietMs;
    do await this.#makeHeadway();
    while (world.now() < end && this.#violations.length === 0);
  }

  /** Each ends a round, or is late. */
  async #makeHeadway(): Promise<void> {
    const world = this.#world;
    const { calmLimitMs = defaultCalmLimitMs } = this.#plan;
    const before = this.#seats.map(({ rounds }) => rounds);
    const isLate = (client: SimulatedClient, seat: number): boolean => client.rounds <= (before[seat] ?? 0);
    const limit = world.now() + calmLimitMs;
    while (this.#seats.some(isLate) && world.now() < limit) await this.#pass(sliceMs);
    for (const { peer } of this.#seats.filter(isLate))
      this.#report(
        'liveness',
        `${peer.name} has not ended a round within ${calmLimitMs} ms, though nothing is wrong`,
      );
  }

  async #end(): Promise<void> {
    const world = this.#world;
    world.mend();
    this.#stopping.abort(new Error('the run ends'));
    await world.run(Promise.all(this.#seats.map(({ ended }) => ended)), { limitMs: endLimitMs });
    await this.#allArrives();
    await world.run(this.#seat(0).finish(), { limitMs: finishLimitMs });
    const closed = Promise.all(this.#seats.map((client) => client.close()));
    await world.run(closed, { limitMs: endLimitMs });
    await this.#leasesEnd();
    await world[Symbol.asyncDispose]();
  }

  /** What the dead have sent may still be on its way. */
  async #allArrives(): Promise<void> {
    const world = this.#world;
    const isUnderWay = ({ peer }: SimulatedClient): boolean =>
      peer.transport.routes.some(({ isQuiet }) => !isQuiet);
    const limit = world.now() + endLimitMs;
    while (this.#all.some(isUnderWay) && world.now() < limit) await world.advance(sliceMs);
  }

  /** What somebody had who could not give it back goes with the lease. */
  async #leasesEnd(): Promise<void> {
    const world = this.#world;
    const limit = world.now() + 2 * this.#plan.ttlMs;
    while (world.engine.execute('leaseList', {}).leases.length > 0 && world.now() < limit)
      await world.advance(sliceMs);
  }

  #sit(seat: number): void {
    const { ttlMs, clockRates } = this.#plan;
    const generation = this.#all.filter(({ peer }) => peer.name.startsWith(`c${seat}.`)).length;
    const client = new SimulatedClient({
      world: this.#world,
      workload: this.#workload,
      name: `c${seat}.${generation}`,
      random: this.#random.split(100 * seat + generation),
      ttlMs,
      clockRate: clockRates[seat] ?? 1,
      isAwake: this.#isAwake,
      stopping: this.#stopping.signal,
      now: () => this.#moment(),
      write: (entry) => this.#entries.push(entry),
      report: (rule, what) => this.#report(rule, what),
    });
    this.#seats[seat] = client;
    this.#all.push(client);
  }

  #seat(seat: number): SimulatedClient {
    const client = this.#seats[seat % this.#seats.length];
    if (client === undefined) throw new Error('nobody sits there');
    return client;
  }

  /** The time, and a little more where something has been written down at this time already: what came first is seen. */
  #moment(): number {
    this.#lastMoment = Math.max(this.#world.now(), this.#lastMoment + shortestMs);
    return this.#lastMoment;
  }

  #later(afterMs: number, act: () => void): void {
    this.#agenda.push({ at: this.#world.now() + afterMs, act });
  }

  async #pass(ms: number): Promise<void> {
    await this.#world.advance(ms);
    if (this.#isTrustJudged) for (const client of this.#seats) client.judgeLease();
  }

  async #passUntil(end: number): Promise<void> {
    const world = this.#world;
    do {
      await this.#pass(Math.min(sliceMs, Math.max(0, end - world.now())));
      const due = this.#agenda.filter(({ at }) => at <= world.now());
      this.#agenda = this.#agenda.filter((each) => !due.includes(each));
      for (const { act } of due) act();
      // Who goes on now, before any of its timers.
      for (const client of this.#all) client.lookAgain();
    } while (world.now() < end);
  }

  #note(what: string, facts: Facts): void {
    this.#entries.push({ kind: 'note', at: this.#moment(), client: nemesis, what, on: 'run', facts });
  }

  #report(rule: string, what: string): void {
    this.#violations.push({ rule, what });
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
