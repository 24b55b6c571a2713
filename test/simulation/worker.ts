/** A process of `npm run simulate`: its share of the seeds, until its time is over. */
import { Batch, type Tally } from './batch.js';
import type { Failure } from './failure.js';
import { forbidRealTimeAndChance } from './guard.js';
import { workloadNamed } from './workloads.js';

/** What it is told: the only message it gets. */
export interface Job {
  readonly workloads: readonly string[];
  /** The first seed; every `step`-th from there on is its own. */
  readonly first: number;
  readonly step: number;
  /** Goes on until it has had so much of a processor, */
  readonly seconds: number;
  /** and until each workload has had so many small runs, */
  readonly atLeast: number;
  /** but no longer than this, on the wall. */
  readonly maxSeconds: number;
}

/** What it says of a workload when it has ended. */
export interface Report {
  readonly workload: string;
  readonly tally: Tally;
  readonly failure: Failure | undefined;
  readonly sometimes: readonly (readonly [string, number])[];
}

/** Small runs of a workload in a row, and then one full one. */
const slice = 100;

process.once('message', (job: Job) => void work(job));
// Whoever wanted to know is gone.
process.once('disconnect', () => process.exit(1));

async function work({ workloads, first, step, seconds, atLeast, maxSeconds }: Job): Promise<void> {
  const now = performance.now.bind(performance);
  const end = now() + 1_000 * maxSeconds;
  const used = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000_000;
  };
  Error.stackTraceLimit = 3; // capturing stacks costs a tenth of the time
  forbidRealTimeAndChance();
  const batches = workloads.map((name) => new Batch(workloadNamed(name)));
  const isEnough = (): boolean =>
    used() >= seconds &&
    batches.every(({ failure, tally }) => failure !== undefined || tally.micro >= atLeast);
  for (let seed = first; !isEnough() && now() < end; seed += slice * step) {
    for (const batch of batches) {
      for (let i = 0; i < slice && now() < end; i++) await batch.play(seed + i * step, 'micro');
      if (now() < end) await batch.play(seed, 'full');
    }
  }
  for (const { workload, tally, failure, sometimes } of batches) {
    const report: Report = { workload: workload.name, tally, failure, sometimes: [...sometimes.counts] };
    process.send?.(report);
  }
  process.removeAllListeners('disconnect');
  process.disconnect();
}
