import { isConclaveError } from '../base/errors.js';
import { sleep } from '../base/runtime.js';
import type { Wait } from '../base/wait.js';
import { Admission } from '../session/admission.js';
import { demand } from '../session/demand.js';
import { Hold } from '../session/hold.js';
import { Line } from '../session/line.js';
import { amongTheFirst } from '../session/rules.js';
import { mayPass, permitLost } from './consumer.js';
import type { QueueParts } from './settle.js';

/** The limit for how many jobs of a queue run at a time, wherever: who wants one stands in line for a permit first. */
export class Permits {
  readonly #maxRunning: number;
  readonly #parts: QueueParts;
  readonly #admission: Admission;

  /** @param maxRunning Infinity: no permits are needed */
  constructor(parts: QueueParts, maxRunning: number) {
    const { connection, layout } = parts;
    const title = `permit of ${layout.title}`;
    const line = new Line({ prefix: layout.permits, ticketPrefix: `${layout.permits}t/`, title });
    this.#maxRunning = maxRunning;
    this.#parts = parts;
    this.#admission = new Admission(connection, { lines: [line], title });
  }

  /** @param take takes a job under the permit, and sees to it that that is given back when the job has ended, or if there is none */
  async with<T>(wait: Wait, take: (permit?: Hold) => Promise<T>): Promise<T> {
    if (this.#maxRunning === Infinity) return take();
    while (true) {
      const permit = await this.#persevere(wait);
      try {
        return await take(permit);
      } catch (error) {
        // With the session: the next one may have another.
        if (error !== permitLost || this.#parts.connection.isForOneSession) throw error;
      }
    }
  }

  /** What may pass is ridden out, as it is while a job is waited for; whoever does not wait is told so. */
  async #persevere(wait: Wait): Promise<Hold> {
    const { runtime } = this.#parts.connection;
    for (let failures = 0; ; failures++) {
      try {
        return await (wait.immediate ? this.#tryAcquire(wait) : this.#acquire(wait));
      } catch (error) {
        wait.signal.throwIfAborted();
        if (!mayPass(error, this.#parts)) throw error;
        wait.obstacle = `; ${String(error)}`;
        if (wait.immediate && !isConclaveError(error, 'SESSION_LOST')) throw wait.timeout();
        const ceilingMs = Math.min(1_000, 20 * 2 ** failures);
        await sleep(runtime, runtime.random() * ceilingMs, { signal: wait.signal });
      }
    }
  }

  #acquire({ signal }: Wait): Promise<Hold> {
    const wish = demand(amongTheFirst(this.#maxRunning));
    return this.#admission.acquire(wish, { signal }, (admitted) => new Hold(admitted));
  }

  async #tryAcquire(wait: Wait): Promise<Hold> {
    const wish = demand(amongTheFirst(this.#maxRunning));
    const { signal } = wait;
    const permit = await this.#admission.tryAcquire(wish, { signal }, (admitted) => new Hold(admitted));
    if (permit) return permit;
    wait.obstacle = `; ${this.#maxRunning} jobs run already`;
    throw wait.timeout();
  }
}
