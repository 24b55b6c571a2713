import { Mutex } from 'async-mutex';
import { raceSignal } from '../base/wait.js';
import { leaveLine } from './giving-up.js';
import type { Session } from './session.js';
import type { Ticket } from './ticket.js';

/**
 * Where the contenders of one process for one line wait for each other, first come, first served: at most one of them has
 * a ticket in the store.
 *
 * async-mutex can neither cancel a single waiter nor tell how many wait. So a waiter that gives up is let go at once and
 * hands its turn on when it comes, and the count is kept here.
 */
export class LocalQueue {
  readonly #mutex = new Mutex();
  readonly #onIdle: () => void;
  #waiting = 0;
  /** A ticket left for the next one: already in the store's line. */
  #baton: Ticket | undefined;

  constructor(onIdle: () => void) {
    this.#onIdle = onIdle;
  }

  /** Somebody local holds or waits. */
  get isBusy(): boolean {
    return this.#mutex.isLocked();
  }

  get hasWaiters(): boolean {
    return this.#waiting > 0;
  }

  /** @throws the signal's reason, at once */
  async enter(signal: AbortSignal): Promise<Turn> {
    this.#waiting++;
    const coming = this.#mutex.acquire();
    try {
      const next = await raceSignal(coming, signal);
      this.#waiting--;
      return this.#turn(next);
    } catch (error) {
      this.#waiting--;
      void coming.then((next) => this.#pass(next));
      throw error;
    }
  }

  #turn(next: () => void): Turn {
    const ticket = this.#baton;
    this.#baton = undefined;
    return {
      ticket,
      hasFollower: () => this.hasWaiters,
      end: (baton) => {
        this.#baton = baton;
        void this.#pass(next);
      },
    };
  }

  async #pass(next: () => void): Promise<void> {
    // Whoever it was meant for has gone.
    if (this.#baton && !this.hasWaiters) {
      const unwanted = this.#baton;
      this.#baton = undefined;
      await leaveLine(unwanted);
    }
    next();
    if (!this.isBusy) this.#onIdle();
  }
}

/** The right to stand in the store's line for this process. */
export interface Turn {
  /** A ticket taken over from the one before. */
  readonly ticket: Ticket | undefined;
  hasFollower(): boolean;
  /** Lets the next one in. @param baton a ticket for it */
  end(baton?: Ticket): void;
}

/** One queue per session and line, each existing while it is used. */
export class LocalQueues {
  readonly #queues = new Map<string, LocalQueue>();

  of(session: Session, linePrefix: string): LocalQueue {
    const id = `${session.key} ${linePrefix}`;
    const existing = this.#queues.get(id);
    if (existing) return existing;
    const queue = new LocalQueue(() => this.#queues.delete(id));
    this.#queues.set(id, queue);
    return queue;
  }
}
