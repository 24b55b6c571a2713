import { Conclave, get, isConclaveError, type Hold } from '../../src/index.js';
import type { Peer, World } from '../../src/testing/index.js';
import type { Random } from '../../src/testing/random.js';
import type { Change, Entry } from '../history/record.js';
import { overtrust } from './lease-judge.js';
import { Scribe } from '../workload/scribe.js';
import type { Desk, Workload } from '../workload/workload.js';

export interface ClientParts {
  readonly world: World;
  readonly workload: Workload;
  readonly name: string;
  readonly random: Random;
  readonly ttlMs: number;
  readonly clockRate: number;
  /** Its machine never sleeps: its timers are on time, unless it is stopped. */
  readonly isAwake: boolean;
  /** The end: nothing new is begun. */
  readonly stopping: AbortSignal;
  /** For what is written down: never the same twice. */
  readonly now: () => number;
  readonly write: (entry: Entry) => void;
  readonly report: (rule: string, what: string) => void;
}

/** How the ticket of a hold went. */
interface Departure {
  readonly revision: number;
  /** With its session, and while its process ran: it knew. */
  readonly wasExpected: boolean;
}

/** These give back what they are about. */
const enders: ReadonlySet<string> = new Set(['release', 'resign', 'downgrade', 'ack', 'nack']);

/** How long an early revoke excuses two holders: until the watch that tells of it has been read. */
const excuseMs = 1_500;

/** One process that does its rounds, in a world. */
export class SimulatedClient {
  readonly peer: Peer;
  /** How many rounds have come to a good end. */
  rounds = 0;
  /** Resolves when it has ended; never, if it crashes. */
  readonly ended: Promise<void>;
  readonly #parts: ClientParts;
  readonly #conclave: Conclave;
  readonly #claims = new Map<string, Hold>();
  /** Deleted, and not asked yet. */
  readonly #gone = new Map<Hold, Departure>();
  /** To be given back: what becomes of them is told by the answer. */
  readonly #ending = new WeakSet<Hold>();
  #robbedAt = -Infinity;
  /** Of the leader when the latest call began. */
  #termBefore = 0n;
  #scribe: Scribe | undefined;

  constructor(parts: ClientParts) {
    const { world, name, ttlMs, clockRate } = parts;
    this.#parts = parts;
    this.peer = world.peer({ name, clockRate });
    const { runtime, transport } = this.peer;
    this.#conclave = Conclave.over(transport, {
      runtime,
      sessionTtlMs: ttlMs,
      dialTimeoutMs: 2_000,
      holder: name,
      process: { host: name, pid: 1 },
    });
    this.ended = this.#work();
  }

  /** Its leases end before their time: what it believes may be wrong for a moment. */
  robbed(): void {
    this.#robbedAt = this.#parts.world.now();
  }

  /**
   * S1: what says that it is held stands in the store. Who stood still is asked as soon as it goes on.
   * S4: who holds has been told before its lease can end.
   */
  look({ key, type, revision }: Change, together: readonly Change[]): void {
    const hold = this.#claims.get(key);
    if (hold && type === 'delete') {
      this.#claims.delete(key);
      // Else a reader that has become a writer.
      const isNext = (each: Change): boolean => each.type === 'put' && each.revision === revision;
      if (!together.some((each) => isNext(each) && ownerOf(each.key) === ownerOf(key)))
        this.#gone.set(hold, { revision, wasExpected: this.#isOnTime && hasEnded(together) });
    }
    this.lookAgain();
  }

  /** S1 and S4, of all that has gone. */
  lookAgain(): void {
    if (this.#gone.size > 0 && this.peer.activity === 'running') this.#askWhoIsGone();
  }

  /**
   * Of a new leader. In this world the answers to what the delivery of a job sets going come in between its promises; on a
   * network they come after.
   */
  #mayHaveJustHeard(hold: Hold): boolean {
    return 'attempt' in hold && this.#termBefore !== this.#parts.world.engine.raftTerm;
  }

  get #isOnTime(): boolean {
    return this.#parts.isAwake && this.peer.activity === 'running';
  }

  /** It may have gone before it was told of; then it must not say that it is held. */
  #expectToStand(hold: Hold): void {
    const { engine, revision } = this.#parts.world;
    const isThere = engine.execute('get', get(hold.key, { countOnly: true })).count > 0;
    if (isThere) return;
    this.#gone.set(hold, { revision: Number(revision), wasExpected: false });
    this.#askWhoIsGone();
  }

  #askWhoIsGone(): void {
    const { world, ttlMs, report, name } = this.#parts;
    // Asked later instead.
    if (world.now() < this.#robbedAt + ttlMs + excuseMs) return;
    for (const [hold, { revision, wasExpected }] of this.#gone) {
      const what = `${hold.key} (token ${hold.fencingToken}), gone by revision ${revision}`;
      if (wasExpected && !hold.signal.aborted && !this.#ending.has(hold))
        report('S4', `${name} was not told that it loses ${what}`);
      if (hold.isHeld()) report('S1', `${name} holds ${what}`);
    }
    this.#gone.clear();
  }

  /** Whatever was answered to it, and when. */
  judgeLease(): void {
    const { world, clockRate, report } = this.#parts;
    const wrong = overtrust(world, this.peer, this.#conclave, clockRate);
    if (wrong !== undefined) report('S3', wrong);
  }

  /** What remains to be done by one of all when they have ended. */
  async finish(): Promise<void> {
    const { signal } = new AbortController();
    await this.#parts.workload.finish?.(this.#desk(signal));
  }

  close(): Promise<void> {
    return this.#conclave.close();
  }

  async #work(): Promise<void> {
    const { workload, stopping, random, report } = this.#parts;
    const desk = this.#desk(stopping);
    while (!stopping.aborted) {
      try {
        await workload.turn(desk);
        this.rounds++;
      } catch (error) {
        if (!isConclaveError(error) && error !== stopping.reason) report('error', describe(error));
      }
      await desk.pause(random.between(0, 600));
    }
  }

  #desk(signal: AbortSignal): Desk {
    const { name, random, now, write } = this.#parts;
    const scribe = (this.#scribe ??= new Scribe(name, {
      now,
      write: (entry) => {
        if (this.peer.activity !== 'crashed') write(entry); // the end of the run is no news to the dead
      },
    }));
    return {
      name,
      conclave: this.#conclave,
      random,
      signal,
      pause: (ms) => this.#pause(ms, signal),
      call: (call, on, input, ...rest) => {
        this.#termBefore = this.#parts.world.engine.raftTerm;
        if (enders.has(call)) {
          for (const hold of [...this.#claims.values(), ...this.#gone.keys()])
            if (Number(hold.fencingToken) === input['token']) this.#ending.add(hold);
        }
        return scribe.call(call, on, input, ...rest);
      },
      note: (...args) => scribe.note(...args),
      claim: (on, hold) => {
        if (!hold.isHeld() && !hold.signal.aborted && !this.#mayHaveJustHeard(hold))
          this.#parts.report('S2', `${name} was granted ${hold.key} in doubt`);
        this.#expectToStand(hold);
        this.#claims.set(hold.key, hold);
        return scribe.claim(on, hold);
      },
    };
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.peer.runtime.setTimer(signal.aborted ? 0 : ms, end);
      signal.addEventListener('abort', end, { once: true });
    });
  }
}

/** A session, and all that it had. */
function hasEnded(together: readonly Change[]): boolean {
  return together.some(({ type, key }) => type === 'delete' && /^conclave\/session\/[0-9a-f]+$/.test(key));
}

/** The line and the session of a ticket. */
function ownerOf(ticket: string): string {
  return ticket.slice(0, ticket.lastIndexOf('-'));
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
