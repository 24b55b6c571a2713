import type { Hold } from '../../src/index.js';
import { MultiHold } from '../../src/lock/multi-lock.js';
import type { World } from '../../src/testing/index.js';
import { Actor, actorCount } from './actor.js';
import { Changes } from './changes.js';
import { Claims } from './claims.js';
import type { Kind } from './kinds.js';
import { LineJudge, type Report } from './line-judge.js';
import { Observers } from './observers.js';
import { cancelled, type Operation, Operations } from './operations.js';
import { Resizes } from './resizes.js';
import { chosen, type Fault, type Mishap, type Move, type Step } from './steps.js';
import { befall, strike } from './strike.js';
import type { Want } from './want.js';
import { type Held, Writes } from './writes.js';

export interface Listeners {
  readonly report: Report;
  /** Told what a schedule has come across. */
  readonly see: (what: string) => void;
}

/** Plays a schedule: clients that act, and things that happen to them. What comes of it goes to the judges. */
export class Player {
  readonly actors: Actor[] = [];
  readonly report: Report;
  readonly judge: LineJudge;
  readonly claims: Claims;
  readonly operations: Operations;
  readonly writes: Writes;
  readonly observers: Observers;
  readonly resizes: Resizes;
  /** What lies in wait. */
  readonly armed: Set<{ cancel(): void }> = new Set();
  /** What is granted from now on is given back at once. */
  isEnding = false;
  readonly #kind: Kind;
  readonly #world: World;
  readonly #changes: Changes = new Changes(this);
  readonly #places: Actor[] = [];
  #held: Held[] = [];

  constructor(world: World, kind: Kind, { report, see }: Listeners) {
    this.#world = world;
    this.#kind = kind;
    this.report = report;
    this.judge = new LineJudge(world, kind, report);
    const { judge } = this;
    const onExcused = (): void => see('two held after an early revoke');
    this.claims = new Claims({ kind, judge, now: () => world.now(), report, onExcused });
    this.operations = new Operations({
      kind,
      judge,
      believesToHold: (actor, names) =>
        this.claims.held.some(
          (each) => each.actor === actor && each.want.names.some((name) => names.includes(name)),
        ),
      revision: () => world.revision,
      report,
      see,
    });
    this.writes = new Writes(this.operations, judge, report);
    this.observers = new Observers(judge, report);
    this.resizes = new Resizes(this.operations, judge, report);
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

  /** Of actors that can do something. */
  get held(): readonly Held[] {
    return this.#held.filter(({ actor }) => actor.isRunning);
  }

  async play(step: Step): Promise<void> {
    if (step.do === 'pass') {
      // Just the time.
    } else if (isMove(step)) this.#move(step, step.mishap);
    else this.#strike(step);
    if (step.thenMs === undefined) return;
    await this.pass(step.thenMs);
    if (step.do === 'cancel') this.#judgeCancelled();
  }

  /** Lets time pass, and looks again and again. */
  async pass(ms: number): Promise<void> {
    let left = ms;
    do {
      const slice = Math.min(left, 200);
      await this.#world.advance(slice);
      this.claims.look();
      left -= slice;
    } while (left > 0);
  }

  releaseAll(): void {
    for (const held of [...this.held]) this.release(held);
  }

  #strike(fault: Fault): void {
    const { judge } = this;
    this.operations.isCalm = false;
    strike(fault, {
      world: this.#world,
      actorAt: (place) => this.actorAt(place),
      beforeRevoke: (leases) => this.claims.revoked(leases),
      judge,
      armed: this.armed,
    });
  }

  #befall(actor: Actor, mishap: Mishap | undefined): void {
    if (!mishap) return;
    this.operations.isCalm = false;
    befall(mishap, 'txn', actor, this.#world);
  }

  #move(move: Move, mishap: Mishap | undefined): void {
    if ('by' in move) {
      const actor = this.actorAt(move.by);
      if (!actor.isRunning) return;
      this.#befall(actor, mishap);
      return this.#act(actor, move);
    }
    if (move.do === 'cancel') return this.#cancel(move.which);
    const held = chosen(this.held, move.which);
    if (!held) return;
    this.#befall(held.actor, mishap);
    if (move.do === 'release') this.release(held);
    else if (move.do === 'write') this.writes.start(held, this.under(held), move.way);
    else this.#changes.start(held, move.how, move.which);
  }

  #act(actor: Actor, move: Extract<Move, { readonly by: number }>): void {
    switch (move.do) {
      case 'acquire':
        return this.#acquire(actor, move.want, move.timeoutMs);
      case 'try':
        return this.#try(actor, move.want);
      case 'resize':
        return this.resizes.start(actor, move.name, move.limit);
      case 'observe':
        return this.observers.start(actor, move.name);
      case 'inspect':
        return this.#inspect(actor, move.name);
      case 'close':
        return void actor.close();
    }
  }

  #acquire(actor: Actor, want: Want, timeoutMs: number | undefined): void {
    this.operations.start(
      { doing: 'acquire', actor, want, timeoutMs },
      (signal) => this.#kind.acquire(actor.conclave, want, { timeoutMs, signal }),
      (hold) => this.granted(actor, want, hold, { atOnce: timeoutMs === 0 }),
    );
  }

  #try(actor: Actor, want: Want): void {
    this.operations.start(
      { doing: 'try', actor, want },
      (signal) => this.#kind.tryAcquire(actor.conclave, want, { signal }),
      (hold, operation) => {
        if (hold) this.granted(actor, want, hold, { atOnce: true });
        else this.operations.judgeRefusal(operation);
      },
    );
  }

  /** The library has given this out. */
  granted(actor: Actor, want: Want, hold: Hold, options: { readonly atOnce?: boolean } = {}): void {
    const keys = hold instanceof MultiHold ? hold.keys : [hold.key];
    const held: Held = { actor, want, hold, keys, guard: hold.guard(), isChanging: false };
    this.claims.granted(held, options);
    this.#held.push(held);
    if (this.isEnding) this.release(held);
  }

  /** What a call under a hold has to say of it. */
  under(held: Held): Pick<Operation, 'actor' | 'want' | 'isMoot'> {
    return {
      actor: held.actor,
      want: held.want,
      isMoot: () => held.isChanging || !this.#held.includes(held),
    };
  }

  /** Its program does not count on it any more. */
  forget(held: Held): void {
    this.#held = this.#held.filter((each) => each !== held);
    this.claims.forget(held);
  }

  release(held: Held): void {
    const { actor, hold, want, keys } = held;
    this.forget(held);
    this.operations.start(
      { doing: 'release', actor, want },
      () => hold.release(),
      () => {
        const stands = keys.some((key) => !this.judge.fateOf(key, hold.fencingToken)?.goneAt);
        if (stands && this.operations.isCalm) this.report(`${hold.key} was released, and stands`);
      },
    );
  }

  #cancel(which: number): void {
    const waits = this.operations.pending.filter(
      ({ actor, doing }) =>
        actor.isRunning && (doing === 'acquire' || doing === 'try' || doing === 'transfer'),
    );
    chosen(waits, which)?.controller.abort(cancelled);
  }

  #judgeCancelled(): void {
    // A transfer that has come to pass cannot be called off while the leader resigns.
    for (const { actor, doing, controller } of this.operations.pending)
      if (actor.isRunning && controller.signal.aborted && doing !== 'transfer')
        this.report(`${actor.name}: ${doing} was cancelled, and goes on`);
  }

  #inspect(actor: Actor, name: string): void {
    this.operations.start(
      { doing: 'inspect', actor, want: { names: [name] } },
      async () => this.#kind.inspect?.(actor.conclave, name),
      (seen) => seen && this.judge.judgeInspection(name, seen),
    );
  }
}

const moves = [
  'acquire',
  'try',
  'cancel',
  'release',
  'write',
  'change',
  'resize',
  'observe',
  'inspect',
  'close',
];

function isMove(step: Exclude<Step, { readonly do: 'pass' }>): step is Extract<Step, Move> {
  return moves.includes(step.do);
}
