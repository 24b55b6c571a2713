import type { Fault } from './faults.js';
import type { Plan, Size } from './plan.js';
import type { Outcome } from './run.js';

/** A seed that has failed, with what is needed to see it again. */
export interface Failure {
  readonly seed: number;
  readonly size: Size['name'];
  /** With the fewest faults that show it. */
  readonly plan: Plan;
  /** For people, in a line. */
  readonly summary: string;
  /** For people. */
  readonly text: string;
}

const linesShown = 60;

/** What happened, and how to see it again. */
export function describeFailure(plan: Plan, size: Size['name'], outcome: Outcome): string {
  const { workload, seed, faults, ...rest } = plan;
  return [
    `${workload}, ${size}, seed ${seed}; to repeat: npm run simulate -- --workload ${workload} --size ${size} --seed ${seed}`,
    ...outcome.violations.slice(0, 5).map(({ rule, what }) => `  ${rule}: ${what}`),
    `  plan ${JSON.stringify(rest)}, the fewest faults that show it:`,
    ...faults.map((fault) => `    ${describeFault(fault)}`),
    '  the latest events:',
    ...outcome.timeline.slice(-linesShown).map((line) => `    ${line.slice(0, 300)}`),
    '  as an entry of corpus.json:',
    `    ${JSON.stringify(plan)}`,
  ].join('\n');
}

function describeFault({ at, do: what, ...rest }: Fault): string {
  return `at ${at} ms: ${what} ${JSON.stringify(rest)}`;
}
