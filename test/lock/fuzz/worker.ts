import { type Compare, type Hold, isConclaveError } from '../../../src/index.js';
import type { FuzzClient } from './client.js';
import type { Counter, Way } from './counter.js';
import type { Dice } from './dice.js';
import type { Claims } from '../../model/claims.js';
import type { Sightings } from './sightings.js';

export interface WorkerParts {
  readonly client: FuzzClient;
  readonly dice: Dice;
  readonly claims: Claims;
  readonly counter: Counter;
  readonly sightings: Sightings;
  readonly report: (violation: string) => void;
  /** Writes without guards, as a bad program would. */
  readonly isUnguarded: boolean;
  readonly isOver: () => boolean;
}

/** What faults may cost a caller: always one of these, and nothing else. */
const expected = [
  'WAIT_TIMEOUT',
  'HOLD_LOST',
  'SESSION_LOST',
  'UNAVAILABLE',
  'RESOURCE_EXHAUSTED',
  'CLOSED',
] as const;
const want = { names: ['m'] };
const cancelled = new Error('the caller has changed its mind');

/** A task that takes the lock again and again, in every way there is. */
export class Worker {
  readonly #parts: WorkerParts;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  async work(): Promise<void> {
    const { client, dice, isOver } = this.#parts;
    while (!isOver()) {
      const longestPauseMs = await this.#once().then(
        () => 60,
        (error: unknown) => {
          this.#judge(error);
          return 400;
        },
      );
      if (client.state === 'leaving') return this.#checkClosed();
      await client.sleep(1 + dice.below(longestPauseMs));
    }
  }

  #once(): Promise<unknown> {
    const { client, dice } = this.#parts;
    const mutex = client.conclave.mutex('m');
    const timeoutMs = dice.pick([50, 1_000, 10_000, 60_000, Infinity]);
    const way = dice.below(10);
    if (way < 5) return mutex.run((hold) => this.#under(hold), { timeoutMs });
    if (way < 7) return mutex.acquire({ timeoutMs }).then((hold) => this.#handle(hold));
    if (way < 9) return mutex.tryAcquire().then((hold) => hold && this.#handle(hold));
    const caller = new AbortController();
    void client.sleep(dice.below(2_000)).then(() => caller.abort(cancelled));
    return mutex.acquire({ signal: caller.signal }).then((hold) => this.#handle(hold));
  }

  async #handle(hold: Hold): Promise<void> {
    await this.#under(hold);
    await hold.release();
  }

  async #under(hold: Hold): Promise<void> {
    const { client, dice, claims } = this.#parts;
    const guard = hold.guard();
    const claim = { actor: client, hold, want, keys: [hold.key], isChanging: false };
    claims.granted(claim);
    client.served();
    let mayWrite = true;
    for (let i = Math.floor(dice.below(3)); mayWrite && i >= 0; i--) {
      await client.sleep(dice.below(120));
      mayWrite = await this.#write(hold, guard, dice.oneIn(3) ? 'guard' : 'commit');
    }
    claims.forget(claim);
    if (!mayWrite || !hold.signal.aborted || !dice.oneIn(2)) return;
    await client.sleep(dice.below(6_000)); // a program that does not know when to stop
    await this.#write(hold, guard, dice.pick(['commit', 'guard']));
  }

  /** @returns false if its fate is unknown: it could overtake the next one under the same hold */
  async #write(hold: Hold, guard: readonly Compare[], way: Way): Promise<boolean> {
    const { client, counter, isUnguarded, sightings } = this.#parts;
    try {
      const outcome = await counter.increment(client, hold, {
        guard,
        way: isUnguarded ? 'unguarded' : way,
      });
      sightings.add(`a write was ${outcome}`);
      return outcome !== 'lost';
    } catch (error) {
      this.#judge(error);
      return true;
    }
  }

  #judge(error: unknown): void {
    const { client, sightings, report } = this.#parts;
    if (error === cancelled) return sightings.add('a wait was cancelled');
    const code = expected.find((each) => isConclaveError(error, each));
    if (code === undefined || (code === 'CLOSED' && client.state !== 'leaving'))
      return report(
        `${client.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    sightings.add(`ended with ${code}`);
  }

  /** After close() nothing is accepted. */
  async #checkClosed(): Promise<void> {
    const { client, report } = this.#parts;
    const refusal = await client.conclave
      .mutex('m')
      .acquire()
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    if (!isConclaveError(refusal, 'CLOSED')) report(`${client.name} is closed, and said ${String(refusal)}`);
  }
}
