import { DeadlockError, Random, World } from '../../src/testing/index.js';
import { FuzzClient } from './fuzz/client.js';
import { Counter } from './fuzz/counter.js';
import { Dice } from './fuzz/dice.js';
import { mend, strike, type Scene } from './fuzz/faults.js';
import type { Sightings } from './fuzz/sightings.js';
import { Worker } from './fuzz/worker.js';
import { Claims } from '../model/claims.js';
import { mutex } from '../model/kinds.js';
import { LineJudge } from '../model/line-judge.js';

export interface FuzzOptions {
  readonly seed: number;
  readonly sightings: Sightings;
  /** A positive control: the workload writes without guards. @default false */
  readonly isUnguarded?: boolean;
}

export interface FuzzResult {
  /** None, if all is well. */
  readonly violations: readonly string[];
  readonly traceHash: string;
  readonly timeline: readonly string[];
  /** How long all clients took to be served after the last fault was undone; Infinity if one was not. */
  readonly recoveryMs: number;
}

const clientCount = 3;
const tasksPerClient = 2;
const steps = 30;
const longestStepMs = 1_500;
/** From the last fault to everybody's next grant: leases of the dead run out, penalties of members end, watches resume. */
const recoveryLimitMs = 30_000;
/** The longest wait of a task, and more. */
const workLimitMs = 120_000;

/**
 * Some processes, several tasks in each, all want one mutex, while everything goes wrong that a `World` can do to them.
 * The same seed gives the same run.
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const run = new FuzzRun(options, await World.open({ seed: options.seed }));
  return run.result();
}

class FuzzRun {
  readonly #options: FuzzOptions;
  readonly #world: World;
  readonly #dice: Dice;
  readonly #clients: FuzzClient[] = [];
  readonly #violations: string[] = [];
  readonly #judge: LineJudge;
  readonly #claims: Claims;
  readonly #counter: Counter;
  readonly #work = new Map<FuzzClient, Promise<unknown>>();
  readonly #armed: Scene['armed'] = new Set();
  #isOver = false;
  #recoveryMs = Infinity;

  constructor(options: FuzzOptions, world: World) {
    this.#options = options;
    this.#world = world;
    this.#dice = new Dice(new Random(options.seed).split(1_000));
    const report = (violation: string): void => void this.#violations.push(violation);
    this.#counter = new Counter(world, report);
    this.#judge = new LineJudge(world, mutex, report);
    this.#claims = new Claims({
      kind: mutex,
      judge: this.#judge,
      now: () => world.now(),
      report,
      onExcused: () => options.sightings.add('two held after an early revoke'),
    });
    options.sightings.follow(world);
  }

  async result(): Promise<FuzzResult> {
    try {
      for (let i = 0; i < clientCount; i++) this.#join();
      for (let i = 0; i < steps; i++) await this.#step();
      await this.#recover();
      await this.#finish();
    } catch (error) {
      this.#violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    return {
      violations: this.#violations,
      traceHash: this.#world.traceHash(),
      timeline: this.#world.timeline(),
      recoveryMs: this.#recoveryMs,
    };
  }

  get #living(): readonly FuzzClient[] {
    return this.#clients.filter(({ state }) => state === 'living');
  }

  #join(): void {
    const index = this.#clients.length;
    const client = new FuzzClient(this.#world, this.#dice.split(index));
    const { sightings, isUnguarded = false } = this.#options;
    const workers = Array.from({ length: tasksPerClient }, (_, task) =>
      new Worker({
        client,
        dice: this.#dice.split(100 * (index + 1) + task),
        claims: this.#claims,
        counter: this.#counter,
        sightings,
        report: (violation) => this.#violations.push(violation),
        isUnguarded,
        isOver: () => this.#isOver,
      }).work(),
    );
    this.#clients.push(client);
    this.#work.set(client, Promise.all(workers));
  }

  async #step(): Promise<void> {
    const client = this.#dice.pick(this.#living);
    strike(this.#scene(client));
    await this.#world.advance(this.#dice.below(longestStepMs));
    this.#claims.look();
    while (this.#living.length < clientCount) this.#join();
  }

  #scene(client: FuzzClient): Scene {
    const { sightings } = this.#options;
    return {
      world: this.#world,
      dice: this.#dice,
      client,
      armed: this.#armed,
      judge: this.#judge,
      crash: (who) => {
        who.state = 'crashed';
        this.#world.crash(who.peer);
        sightings.add('a client crashed');
      },
      leave: (who) => {
        void who.close(this.#dice.pick([0, 500, 10_000]));
        sightings.add('a client was closed');
      },
      beforeRevoke: (who) => this.#claims.revoked(who.peer.transport.leases),
    };
  }

  async #recover(): Promise<void> {
    mend(this.#world, { clients: this.#clients, armed: this.#armed });
    const from = this.#world.now();
    const waiting = new Set(this.#living);
    const served = this.#living.map((client) => client.untilServed().then(() => waiting.delete(client)));
    try {
      await this.#world.run(Promise.all(served), { limitMs: recoveryLimitMs });
      this.#recoveryMs = this.#world.now() - from;
    } catch (error) {
      if (!(error instanceof DeadlockError)) throw error;
      const who = [...waiting].map(({ name }) => name).join(', ');
      this.#violations.push(`not served within ${recoveryLimitMs} ms after all faults: ${who}`);
    }
  }

  async #finish(): Promise<void> {
    this.#isOver = true;
    const remaining = this.#clients.filter(({ state }) => state !== 'crashed');
    const work = remaining.map((client) => this.#work.get(client)).filter((each) => each !== undefined);
    await this.#world.run(Promise.all(work), { limitMs: workLimitMs });
    await this.#world.run(Promise.all(remaining.map((client) => client.close())));
    await this.#world.advance(10_000); // what is late arrives
    await this.#counter.check();
    this.#claims.look();
    await this.#world[Symbol.asyncDispose]();
  }
}
