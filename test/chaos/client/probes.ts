import type { Aim } from './orders.js';

interface Pending {
  readonly aim: Aim;
  left: number;
}

/** Does what was aimed at the points that this process passes. */
export class Probes {
  readonly #act: (aim: Aim) => void;
  #pending: Pending[] = [];

  constructor(act: (aim: Aim) => void) {
    this.#act = act;
  }

  aim(aim: Aim): void {
    this.#pending.push({ aim, left: aim.nth });
  }

  /** Nothing is done any more but told. */
  disarm(): void {
    this.#pending = this.#pending.filter(({ aim }) => aim.act === 'tell');
  }

  /** For `Runtime.probe`. */
  readonly pass = (probe: string): void => {
    const here = this.#pending.filter(({ aim }) => aim.probe === probe);
    for (const each of here) each.left--;
    const due = here.filter(({ left }) => left <= 0);
    if (due.length === 0) return;
    this.#pending = this.#pending.filter((each) => !due.includes(each));
    for (const { aim } of due) this.#act(aim);
  };
}

/** SIGSTOP for this process; returns how long it stood still, once somebody has resumed it. */
export function standStill(): number {
  const stoppedAt = performance.now();
  process.kill(process.pid, 'SIGSTOP');
  // The signal may take effect a moment later: not after this.
  while (performance.now() < stoppedAt + 20);
  return performance.now() - stoppedAt;
}
