import type { WaitOptions } from '../base/wait.js';
import type { Admitted } from '../session/admitted.js';
import type { Admission, TryOptions } from '../session/admission.js';
import type { Demand } from '../session/demand.js';
import type { Hold } from '../session/hold.js';

/**
 * What every lock can do: wait for it, take it if it is free, run something under it.
 *
 * A waiter whose session is lost rejects at once, whoever holds. What `acquire` returns is not known to the callbacks
 * (`run`) it may be used in: acquiring the same again there waits for ever, unless `timeoutMs` ends it.
 */
export class Lock<H extends Hold> {
  protected readonly admission: Admission;
  readonly #demand: Demand;
  readonly #make: (admitted: Admitted) => H;

  /** @internal Locks come from a Conclave. */
  constructor(admission: Admission, demand: Demand, make: (admitted: Admitted) => H) {
    this.admission = admission;
    this.#demand = demand;
    this.#make = make;
  }

  /**
   * Waits for it. One round trip if it is free; if not, one and a watch, and none after the hand-over.
   *
   * When it rejects nothing is held; a ticket whose fate is not known yet is removed in the background, at the latest
   * with the session.
   *
   * @throws WaitTimeoutError naming who holds it; the signal's own reason; SessionLostError; ClosedError;
   * AlreadyHeldError inside a callback that holds it; ConflictError if somebody removed the ticket; AuthError;
   * ResourceExhaustedError if the store is over its quota
   */
  async acquire(options: WaitOptions = {}): Promise<H> {
    return this.admission.acquire(this.#demand, options, this.#make);
  }

  /**
   * Takes it if it can be had at once: nobody stands in its way, here or elsewhere. No trace if not, and no barging. A
   * crashed holder whose lease has not run out yet counts as a holder.
   *
   * @returns undefined if it is not free, also if the callback that asks holds it itself
   * @throws UnavailableError if the store cannot be reached within `dialTimeoutMs`; SessionLostError; ClosedError
   */
  async tryAcquire(options: TryOptions = {}): Promise<H | undefined> {
    return this.admission.tryAcquire(this.#demand, options, this.#make);
  }

  /**
   * Runs `work` under it and releases in every case. Always waits for `work`.
   *
   * @throws the error of `work`; HoldLostError if it succeeded but the lock had been lost before it ended; what `acquire`
   * throws, before `work` was called
   */
  async run<T>(work: (hold: H) => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
    return this.admission.run(() => this.acquire(options), work);
  }
}
