import type { Wait } from '../base/wait.js';
import { Admission } from '../session/admission.js';
import { demand } from '../session/demand.js';
import { Hold } from '../session/hold.js';
import { Line } from '../session/line.js';
import { amongTheFirst } from '../session/rules.js';
import { permitLost } from './consumer.js';
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

  /** @param take takes a job under the permit, and sees to it that that is given back when the job has ended */
  async with<T>(wait: Wait, take: (permit?: Hold) => Promise<T>): Promise<T> {
    if (this.#maxRunning === Infinity) return take();
    while (true) {
      const permit = wait.immediate ? await this.#tryAcquire(wait) : await this.#acquire(wait);
      try {
        return await take(permit);
      } catch (error) {
        void permit.release().catch(() => {});
        // With the session: the next one may have another.
        if (error !== permitLost || this.#parts.connection.isForOneSession) throw error;
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
