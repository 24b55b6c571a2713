import { World } from '../../src/testing/index.js';
import type { Actor } from './actor.js';
import { firstLimit, type Kind } from './kinds.js';
import type { Sightings } from '../lock/fuzz/sightings.js';
import type { Report } from './line-judge.js';
import { mend } from './mend.js';
import { type Listeners, Player } from './player.js';
import type { Schedule } from './steps.js';
import type { Ticket, Want } from './want.js';

export interface RunResult {
  /** None, if all is well. */
  readonly violations: readonly string[];
  readonly traceHash: string;
  readonly timeline: readonly string[];
}

/** From the last fault on: leases of the dead run out, penalties of members end, watches resume. */
const recoveryLimitMs = 60_000;
/** From the moment on at which nobody holds anything for longer than it has to. */
const endLimitMs = 60_000;
const patienceMs = 250;

/** Plays a schedule in a world of its own, mends it, lets everybody finish, and judges. The same one goes the same way. */
export async function run(kind: Kind, schedule: Schedule, sightings?: Sightings): Promise<RunResult> {
  const world = await World.open({ seed: schedule.seed });
  sightings?.follow(world);
  const violations: string[] = [];
  const listeners: Listeners = {
    report: (violation) => violations.push(violation),
    see: (what) => sightings?.add(what),
  };
  try {
    await new Run(world, kind, listeners).play(schedule);
  } catch (error) {
    violations.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return { violations: [...new Set(violations)], traceHash: world.traceHash(), timeline: world.timeline() };
}

class Run {
  readonly #world: World;
  readonly #kind: Kind;
  readonly #player: Player;
  readonly #report: Report;

  constructor(world: World, kind: Kind, listeners: Listeners) {
    this.#world = world;
    this.#kind = kind;
    this.#report = listeners.report;
    this.#player = new Player(world, kind, listeners);
  }

  async play({ steps, hasLimits }: Schedule): Promise<void> {
    const player = this.#player;
    if (this.#kind.name === 'semaphore' && hasLimits) await this.#setLimits();
    for (const step of steps) await player.play(step);
    mend(this.#world, player.actors, player.armed);
    await this.#until('the store and the clients agree', recoveryLimitMs, () => this.#differences());
    player.isEnding = true;
    player.releaseAll();
    await this.#until('everything is over', endLimitMs, () => this.#remains());
    await player.pass(1_000);
    for (const remains of this.#remains()) this.#report(`it came back: ${remains}`);
    player.writes.judge();
    // Of a semaphore without a limit it is set once by whoever names one.
    player.resizes.judge(1);
    const living = player.actors.filter(({ state }) => state !== 'crashed');
    await this.#world.run(Promise.all(living.map((actor) => actor.close())));
    player.judge.catchUp();
    await this.#world[Symbol.asyncDispose]();
  }

  async #setLimits(): Promise<void> {
    const { conclave } = this.#player.actorAt(0);
    for (const name of ['a', 'b']) await conclave.semaphore(name).resize(firstLimit);
  }

  async #until(what: string, limitMs: number, look: () => readonly string[]): Promise<void> {
    const limit = this.#world.now() + limitMs;
    await this.#player.pass(0);
    let left = look();
    while (left.length > 0 && this.#world.now() < limit) {
      await this.#player.pass(patienceMs);
      left = look();
    }
    if (left.length > 0) this.#report(`not within ${limitMs} ms: ${what}: ${left.join('; ')}`);
  }

  /** In which the store and what the clients know differ. With no fault left there will be nothing, after a while. */
  #differences(): string[] {
    const { judge, claims, operations } = this.#player;
    const held = new Set(claims.held.flatMap(({ keys }) => keys));
    const holding = new Set(judge.holders.map(({ key }) => key));
    const waiting = operations.pending.filter(({ doing }) => doing === 'acquire');
    const waiters = this.#groups();
    return [
      ...this.#lateRequests(),
      ...this.#player.observers.behind,
      ...operations.pending
        .filter((each) => !waiting.includes(each))
        .map(({ doing, actor }) => `${actor.name} waits for its ${doing}`),
      ...[...held].filter((key) => !holding.has(key)).map((key) => `${key} is held, and does not stand`),
      ...waiters
        .filter((group) => isAdmitted(group, holding) && !group.some(({ key }) => held.has(key)))
        .map(([ticket]) => `${ticket?.key} may pass, and does not know`),
      ...this.#players().flatMap((actor) => this.#miscounted(actor, waiters, holding)),
    ];
  }

  /** Everybody who waits stands in line, and nobody else does. */
  #miscounted(actor: Actor, groups: readonly (readonly Ticket[])[], holding: ReadonlySet<string>): string[] {
    const { operations, claims } = this.#player;
    const mine = groups.filter(([ticket]) => ticket && actor.peer.transport.leases.has(ticket.lease));
    const waits = operations.pending.filter((each) => each.actor === actor && each.doing === 'acquire');
    const held = claims.held.filter((claim) => claim.actor === actor);
    const isQueued = ({ want: { names } }: { readonly want: Want }): boolean =>
      this.#kind.queuesLocally(names.length);
    const [queued, direct] = divide(waits, isQueued);
    const [queuedHere, directHere] = divide(mine, (group) => this.#kind.queuesLocally(group.length));
    const waiting = directHere.filter((group) => !isAdmitted(group, holding));
    const wanted = new Set([...held.filter(isQueued), ...queued].flatMap(({ want }) => want.names));
    const standing = new Set(queuedHere.flat().map(({ line }) => line));
    const isSame = wanted.size === standing.size && [...wanted].every((name) => standing.has(name));
    return [
      ...(waiting.length === direct.length
        ? []
        : [`${actor.name}: ${direct.length} wait, ${waiting.length} tickets do`]),
      ...(isSame ? [] : [`${actor.name} wants ${[...wanted].join()} and stands in ${[...standing].join()}`]),
    ];
  }

  #remains(): string[] {
    const { judge, operations, observers } = this.#player;
    return [
      ...this.#lateRequests(),
      ...observers.behind,
      ...operations.pending.map(
        ({ doing, actor, want }) => `${actor.name} waits for its ${doing} of ${want.names.join()}`,
      ),
      ...judge.standing.map(({ key }) => `${key} stands`),
    ];
  }

  #lateRequests(): string[] {
    return this.#player.actors
      .filter(({ peer }) => peer.transport.routes.some(({ isQuiet }) => !isQuiet))
      .map(({ name }) => `requests of ${name} are under way`);
  }

  #players(): readonly Actor[] {
    return this.#player.actors.filter(({ state }) => state === 'living');
  }

  /** The tickets that stand, those of one transaction together. */
  #groups(): readonly (readonly Ticket[])[] {
    const groups = new Map<string, Ticket[]>();
    for (const ticket of this.#player.judge.standing) {
      const group = groups.get(ticket.name);
      if (group) group.push(ticket);
      else groups.set(ticket.name, [ticket]);
    }
    return [...groups.values()];
  }
}

function isAdmitted(group: readonly Ticket[], holding: ReadonlySet<string>): boolean {
  return group.every(({ key }) => holding.has(key));
}

function divide<T>(all: readonly T[], isFirst: (each: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((each) => !isFirst(each))];
}
