import type { Conclave, Hold } from '../../src/index.js';
import type { Random } from '../../src/testing/random.js';
import type { Change, Entry, Facts, Violation } from '../history/record.js';

/** What a client of a run works with. The same workload runs in virtual time and in a process on a real cluster. */
export interface Desk {
  /** Of the client; for histories. */
  readonly name: string;
  readonly conclave: Conclave;
  readonly random: Random;
  /** Aborts when the client is to come to an end: take nothing more, give back what is held. */
  readonly signal: AbortSignal;
  /** Lets `ms` milliseconds of the client's own time pass; ends early, without an error, when `signal` aborts. */
  pause(ms: number): Promise<void>;
  /**
   * Writes down a call and what becomes of it. An error of the library is written down and thrown on; `outcomeOf` tells
   * which errors leave the outcome unknown.
   *
   * @param output what is worth knowing of the result
   */
  call<T>(
    call: string,
    on: string,
    input: Facts,
    work: () => Promise<T>,
    output?: (result: T) => Facts,
  ): Promise<T>;
  /**
   * To be called with everything that was granted: its loss is written down (`lost`, with key, token and reason), and a
   * simulation looks whether it stands whenever the hold says so. @returns it
   */
  claim<H extends Hold>(on: string, hold: H): H;
  /** Writes down what the client was told without asking. */
  note(what: string, on: string, facts?: Facts): void;
}

/**
 * Whoever strikes the faults is a client of this name in the history: `note.what` is the fault, and `healed` that from now on
 * nothing is wrong.
 */
export const nemesis = 'nemesis';

/** All that a run has left. */
export interface Evidence {
  /** Sorted by time. */
  readonly entries: readonly Entry[];
  /** Sorted by revision; nothing is missing. */
  readonly changes: readonly Change[];
  /** The namespace of the clients. */
  readonly namespace: string;
  /** Of the sessions of all clients. */
  readonly ttlMs: number;
  /** How much later than it happened a change may have been seen, at most. @default 0 */
  readonly lagMs?: number;
  /** How much faster than another a wall clock goes, at most, since the first entry. @default a quarter */
  readonly clockDrift?: number;
}

/** What clients do over and over, and what must be true of it. */
export interface Workload {
  readonly name: string;
  /** How many clients take part, at least, for it to make sense. @default 2 */
  readonly clients?: number;
  /** One round of one client. Errors of the library may leave it: whoever plays it goes on with the next round. */
  turn(desk: Desk): Promise<void>;
  /** What one client does when all have ended their rounds, and nothing is wrong any more: nobody is to be left waiting. */
  finish?(desk: Desk): Promise<void>;
  /** Once everybody has ended and every fault is undone. */
  judge(evidence: Evidence): readonly Violation[];
  /** What a batch of runs has to come across, or it tests less than it seems: see `Desk.note` and the error codes. */
  readonly sometimes?: readonly string[];
}
