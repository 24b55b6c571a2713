/**
 * A process in which the library is broken (mutate.ts): plays seeds until one shows it, and says which and how.
 */
import type { Violation } from '../history/record.js';
import { drawFor } from './plan.js';
import { run } from './run.js';
import { workloadNamed } from './workloads.js';

export interface Search {
  readonly workload: string;
  readonly size: 'micro' | 'full';
  readonly firstSeed: number;
  readonly lastSeed: number;
  /** What it has to break. @default any that is not rot */
  readonly rule?: string;
}

/** Nothing, if no seed shows it. */
export interface Found {
  readonly seed?: number;
  readonly rule?: string;
  readonly what?: string;
}

process.once('message', (search: Search) => void find(search));
// Whoever wanted to know is gone.
process.once('disconnect', () => process.exit(1));

async function find({ workload: name, size, firstSeed, lastSeed, rule }: Search): Promise<void> {
  Error.stackTraceLimit = 3;
  const workload = workloadNamed(name);
  let found: Found = {};
  for (let seed = firstSeed; seed <= lastSeed && found.seed === undefined; seed++) {
    const { violations } = await run(drawFor(workload, size, seed), workload);
    const violation = violations.find((each) => (rule === undefined ? !isRot(each) : each.rule === rule));
    if (violation) found = { seed, ...violation };
  }
  process.send?.(found);
  process.exit(0); // what is broken may go on for ever
}

/** What was planted does not fit what is around it: that is another bug than the one it stands for. */
function isRot({ rule, what }: Violation): boolean {
  return rule === 'error' && /^(?:Type|Reference|Syntax)Error\b|timers set each other for ever/.test(what);
}
