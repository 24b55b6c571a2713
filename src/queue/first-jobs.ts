import type { WaitingJob } from './search.js';

/** How many to keep in mind: whoever waits for a later one does not need it yet. */
export const manyJobs = 256;

/**
 * The first jobs of a queue, as far as somebody knows them: always without a gap, so the first of them is the first there
 * is. What lies behind may be unknown (`isCut`).
 */
export class FirstJobs {
  /** In the order in which they are to be taken. */
  #jobs: readonly WaitingJob[] = [];
  #isCut = true;

  get all(): readonly WaitingJob[] {
    return this.#jobs;
  }

  /** There may be more behind the last one. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** As a search has found them. @param limit how many it was to find */
  begin(jobs: readonly WaitingJob[], limit: number): void {
    this.#jobs = jobs;
    this.#isCut = jobs.length >= limit;
  }

  put(job: WaitingJob): void {
    const others = this.#jobs.filter(({ key }) => key !== job.key);
    const after = others.findIndex((each) => inOrder(job, each) < 0);
    // Others may stand before it, of which nothing is known.
    if (after < 0 && this.#isCut) return;
    const place = after < 0 ? others.length : after;
    this.#jobs = [...others.slice(0, place), job, ...others.slice(place)];
    if (this.#jobs.length <= manyJobs) return;
    this.#jobs = this.#jobs.slice(0, manyJobs);
    this.#isCut = true;
  }

  remove(key: string): void {
    this.#jobs = this.#jobs.filter((each) => each.key !== key);
  }
}

/** The most urgent first, then by the order of their keys. */
function inOrder(a: WaitingJob, b: WaitingJob): number {
  if (a.lane.prefix === b.lane.prefix) return a.key < b.key ? -1 : 1;
  return b.lane.priority - a.lane.priority;
}
