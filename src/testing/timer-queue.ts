export interface QueuedTimer {
  readonly at: number;
  readonly sequence: number;
  readonly callback: () => void;
}

/** Timers in the order in which they fire: by due time, then as they were set. */
export class TimerQueue {
  /** The next one at the end, where taking it is cheap. */
  readonly #timers: QueuedTimer[] = [];
  #lastSequence = 0;

  get first(): QueuedTimer | undefined {
    return this.#timers.at(-1);
  }

  add(at: number, callback: () => void): QueuedTimer {
    const timer = { at, sequence: ++this.#lastSequence, callback };
    this.#timers.splice(this.#indexOf(timer), 0, timer);
    return timer;
  }

  /** Does nothing if it has been taken already. */
  remove(timer: QueuedTimer): void {
    const index = this.#indexOf(timer);
    if (this.#timers[index] === timer) this.#timers.splice(index, 1);
  }

  /** Takes the next timer out if it is due by `end`. */
  takeDue(end: number): QueuedTimer | undefined {
    return this.first !== undefined && this.first.at <= end ? this.#timers.pop() : undefined;
  }

  /** Where the timer stands, or would stand: the first place whose timer does not fire after it. */
  #indexOf(timer: QueuedTimer): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle];
      if (other !== undefined && firesAfter(other, timer)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function firesAfter(a: QueuedTimer, b: QueuedTimer): boolean {
  return a.at === b.at ? a.sequence > b.sequence : a.at > b.at;
}
