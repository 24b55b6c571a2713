import { setMaxListeners } from 'node:events';
import { ClosedError, isConclaveError } from '../base/errors.js';
import type { InferInput, StandardSchema } from '../base/schema.js';
import { Wait, type WaitOptions } from '../base/wait.js';
import type { Connection } from '../session/connection.js';
import { wheneverHeld } from '../session/whenever-held.js';
import type { Card, Change } from './card.js';
import type { Registration } from './registration.js';
import type { Values } from './values.js';

export interface MembershipParts<Schema extends StandardSchema> {
  readonly connection: Connection;
  readonly id: string;
  /** For messages. */
  readonly title: string;
  readonly values: Values<Schema>;
  readonly card: Card;
  readonly acquire: (wait: WaitOptions) => Promise<Registration>;
}

/**
 * A place in a group, from `join` to `leave`: registered under the session, and again under the next one should that be
 * lost, or should somebody have removed it. It ends with `leave`, and with the Conclave.
 */
export class Membership<Schema extends StandardSchema = StandardSchema<string>> implements AsyncDisposable {
  readonly id: string;
  /**
   * Aborts when it has ended otherwise than by `leave`, with the reason: the Conclave is closing (`ClosedError`), a permission was
   * withdrawn (`AuthError`), the one session of a `SessionConclave` is lost. Not at a loss after which it registers again.
   */
  readonly signal: AbortSignal;
  readonly #parts: MembershipParts<Schema>;
  readonly #controller = new AbortController();
  readonly #leaving = new AbortController();
  readonly #life: Promise<void>;
  #registration: Registration | undefined;
  /** Resolves at the next registration. */
  #next: { readonly registered: Promise<Registration>; readonly tell: (registration: Registration) => void };

  /** @internal @param first the registration it begins with */
  constructor(parts: MembershipParts<Schema>, first: Registration) {
    this.#parts = parts;
    this.id = parts.id;
    this.signal = this.#controller.signal;
    setMaxListeners(0, this.signal, this.#leaving.signal); // as many as wait: many are no leak
    this.#next = deferred();
    this.#registration = first;
    this.#life = this.#live(first);
    this.#life.catch((error: unknown) => this.#controller.abort(error));
  }

  /** Whether others see it at present, judged locally and on the safe side, as `hold.isHeld()`. */
  isRegistered(): boolean {
    return this.#registration?.isHeld() ?? false;
  }

  /** That of its present registration; undefined while there is none. Larger than that of every earlier one of this id. */
  get fencingToken(): bigint | undefined {
    return this.isRegistered() ? this.#registration?.fencingToken : undefined;
  }

  /**
   * Changes its value. One round trip; the token stays. Resolves when the store has it, or a later one; while it is not
   * registered, waits until it is again.
   *
   * @throws InvalidValueError, TypeError before anything is sent; WaitTimeoutError, the signal's reason: the value is set
   * all the same, with the next registration at the latest; ClosedError after `leave`; what has ended the membership
   */
  async update(value: InferInput<Schema>, options: WaitOptions = {}): Promise<void> {
    const { connection, title, values, card } = this.#parts;
    const wait = Wait.start(connection.runtime, options, `${title}: update`);
    wait.endsWith(this.signal);
    wait.endsWith(this.#leaving.signal);
    const change = card.begin();
    try {
      const text = await wait.race(values.write(value, `the value of ${title}`));
      wait.signal.throwIfAborted();
      card.change(change, text);
      await wait.race(this.#write(change, wait.signal));
    } finally {
      wait.end();
    }
  }

  /** Others see it no more. Idempotent. @throws AuthError if a permission was withdrawn: it goes with the session */
  async leave(): Promise<void> {
    if (this.signal.aborted) return;
    this.#leaving.abort(new ClosedError(`${this.#parts.title} has left`));
    await this.#life;
  }

  /** Leaves, but never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave().catch(() => {});
  }

  /** Aborts when it ends, by `leave` as well, with the reason. */
  get ending(): AbortSignal {
    return AbortSignal.any([this.signal, this.#leaving.signal]);
  }

  async #live(first: Registration): Promise<void> {
    const { connection, title, acquire } = this.#parts;
    let waiting: Registration | undefined = first;
    await wheneverHeld(
      connection,
      {
        title,
        acquire: async (signal) => {
          const registration = waiting ?? (await acquire({ signal }));
          waiting = undefined;
          return registration;
        },
        work: async (registration: Registration) => this.#stand(registration),
      },
      { signal: this.#leaving.signal, drainTimeoutMs: Infinity },
    );
  }

  /** From the registration to its end. */
  async #stand(registration: Registration): Promise<void> {
    const { signal } = registration;
    this.#registration = registration;
    this.#next.tell(registration);
    this.#next = deferred();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#registration = undefined;
  }

  /** Until the store has this change, or a later one: a registration that is lost meanwhile is followed by another. */
  async #write(change: Change, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const registration = this.#registration ?? (await this.#next.registered);
      try {
        await registration.write(change);
        return;
      } catch (error) {
        if (!isConclaveError(error, 'HOLD_LOST')) throw error;
        if (this.#registration === registration) this.#registration = undefined;
      }
    }
  }
}

function deferred(): {
  readonly registered: Promise<Registration>;
  readonly tell: (registration: Registration) => void;
} {
  let tell: (registration: Registration) => void = () => {};
  const registered = new Promise<Registration>((resolve) => (tell = resolve));
  return { registered, tell };
}
