import { isConclaveError, type Leadership, type Observation } from '../../src/index.js';
import type { Desk } from './workload.js';

/** Observes an election for as long as its client is there. Each thing it is told is a note (`leader`). */
export class Onlooker {
  readonly #desk: Desk;
  readonly #name: string;
  readonly #waiting = new Set<() => void>();
  #last: Observation | undefined;
  #hasEnded = false;

  constructor(desk: Desk, name: string) {
    this.#desk = desk;
    this.#name = name;
    void this.#follow();
  }

  /**
   * Resolves when it was told that this one leads, with the value last proclaimed; or when that one does not lead any more, or is told
   * to stop, or the client is. If it does not, the client gets no further: something was not told.
   */
  async sees(leadership: Leadership): Promise<void> {
    const { key, signal } = leadership;
    const isOver = (): boolean => signal.aborted || this.#desk.signal.aborted || this.#hasEnded;
    const isTold = (): boolean => {
      const leader = this.#last?.leader;
      return leader?.key === key && leader.value === leadership.value;
    };
    while (!isOver() && !isTold()) await this.#news(signal);
  }

  #news(signal: AbortSignal): Promise<void> {
    const signals = [signal, this.#desk.signal];
    return new Promise((resolve) => {
      const end = (): void => {
        this.#waiting.delete(end);
        for (const each of signals) each.removeEventListener('abort', end);
        resolve();
      };
      this.#waiting.add(end);
      for (const each of signals) each.addEventListener('abort', end, { once: true });
    });
  }

  async #follow(): Promise<void> {
    const { conclave, signal } = this.#desk;
    try {
      for await (const observation of conclave.election(this.#name).observe({ signal })) {
        this.#last = observation;
        this.#write(observation);
        this.#tell();
      }
      this.#desk.note('told no more', this.#name, { error: 'none' });
    } catch (error) {
      const isEnd = error === signal.reason || isConclaveError(error, 'CLOSED');
      if (!isEnd) this.#desk.note('told no more', this.#name, { error: String(error) });
    }
    this.#hasEnded = true;
    this.#tell();
  }

  #write({ leader, revision }: Observation): void {
    const facts = leader ? { token: Number(leader.fencingToken), value: leader.value } : {};
    this.#desk.note('leader', this.#name, { ...facts, revision: Number(revision) });
  }

  #tell(): void {
    for (const end of [...this.#waiting]) end();
  }
}
