import { shrink } from './shrink.js';
import { drawFor, type Plan, type Size } from './plan.js';
import { describeFailure, type Failure } from './failure.js';
import { type Outcome, run, type RunOptions } from './run.js';
import { Sometimes } from './sometimes.js';
import type { Workload } from '../workload/workload.js';

export interface Tally {
  readonly micro: number;
  readonly full: number;
  /** Virtual hours. */
  readonly hours: number;
  readonly faults: number;
}

/** One workload, seed after seed. The first that fails ends it. */
export class Batch {
  readonly workload: Workload;
  readonly sometimes: Sometimes = new Sometimes();
  failure: Failure | undefined;
  readonly #ran = { micro: 0, full: 0 };
  #ms = 0;
  #faults = 0;

  constructor(workload: Workload) {
    this.workload = workload;
  }

  get tally(): Tally {
    return { ...this.#ran, hours: this.#ms / 3_600_000, faults: this.#faults };
  }

  async play(seed: number, size: Size['name']): Promise<void> {
    if (this.failure) return;
    const plan = drawFor(this.workload, size, seed);
    const onWorld: RunOptions['onWorld'] = (world) => this.sometimes.follow(world);
    const outcome = await this.run(plan, { onWorld, trace: false });
    this.sometimes.read(outcome.entries);
    this.#ran[size]++;
    this.#ms += outcome.ms;
    this.#faults += plan.faults.length;
    if (outcome.violations.length > 0) this.failure = await this.#explain(plan, size, outcome);
  }

  run(plan: Plan, options?: RunOptions): Promise<Outcome> {
    return run(plan, this.workload, options);
  }

  async #explain(plan: Plan, size: Size['name'], { violations }: Outcome): Promise<Failure> {
    const { seed } = plan;
    const rules = new Set(violations.map(({ rule }) => rule));
    const [first] = violations;
    const fails = async (each: Plan): Promise<boolean> => {
      const outcome = await this.run(each);
      return outcome.violations.some(({ rule }) => rules.has(rule));
    };
    const small = await shrink(plan, fails);
    const summary = `${size} seed ${seed}: ${first?.rule}: ${first?.what.split('\n')[0]}`;
    return { seed, size, plan: small, summary, text: describeFailure(small, size, await this.run(small)) };
  }
}
