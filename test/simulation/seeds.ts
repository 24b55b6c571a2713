import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Workload } from '../workload/workload.js';
import { type Check, check } from './check.js';
import type { Job, Report } from './worker.js';

export interface SeedsOptions {
  readonly workloads: readonly Workload[];
  /** One for each core. */
  readonly processes: number;
  readonly firstSeed: number;
  /** Of a processor, each process. */
  readonly seconds: number;
  /** Small runs of each workload, at least. */
  readonly atLeast: number;
  /** How often each interesting state of a workload has to be reached. */
  readonly timesReached: number;
  /** Where one is not reached: no longer than this, on the wall. */
  readonly maxSeconds: number;
}

const worker = fileURLToPath(new URL('worker.js', import.meta.url));

/** Plays seeds of all workloads on all cores for a while, and says what came of it. */
export async function playSeeds(options: SeedsOptions): Promise<Check[]> {
  const { workloads, processes, firstSeed, atLeast, timesReached } = options;
  console.log(
    `seeds from ${firstSeed}, ${options.seconds} s of processor time in each of ${processes} processes`,
  );
  const jobs = Array.from({ length: processes }, (_, i) => work(options, firstSeed + i));
  const reports = (await Promise.all(jobs)).flat();
  return workloads.flatMap((workload) => {
    const { name, sometimes = [] } = workload;
    const own = reports.filter((report) => report.workload === name);
    const sum = (read: (report: Report) => number): number => own.reduce((all, one) => all + read(one), 0);
    const small = sum(({ tally }) => tally.micro);
    const large = sum(({ tally }) => tally.full);
    const failures = own.flatMap(({ failure }) => failure ?? []);
    for (const { text } of failures) console.log(text);
    const hours = sum(({ tally }) => tally.hours).toFixed(1);
    const played = `${small} micro and ${large} full seeds, ${hours} virtual hours, ${sum(({ tally }) => tally.faults)} faults`;
    const figures = [played, ...failures.map(({ summary }) => summary)].join('; ');
    const counts = new Map<string, number>();
    for (const [what, count] of own.flatMap((one) => one.sometimes))
      counts.set(what, (counts.get(what) ?? 0) + count);
    const missing = sometimes.filter((what) => (counts.get(what) ?? 0) < timesReached);
    const reached =
      missing.length === 0
        ? sometimes.map((what) => `${what} ${counts.get(what)}`).join(', ')
        : `not ${timesReached} times: ${missing.map((what) => `${what} ${counts.get(what) ?? 0}`).join(', ')}`;
    return [
      check(`${name}: no violation in any seed`, failures.length === 0, figures),
      check(`${name}: at least ${atLeast} seeds`, small + large >= atLeast),
      check(`${name}: interesting states were reached`, missing.length === 0, reached),
    ];
  });
}

/** Rejects if the process ends before it has said of each workload what came of it. */
function work(options: SeedsOptions, first: number): Promise<Report[]> {
  const { workloads, processes, seconds, atLeast, maxSeconds } = options;
  return new Promise((resolve, reject) => {
    const child = fork(worker);
    const reports: Report[] = [];
    child.on('message', (report: Report) => reports.push(report));
    child.on('error', reject);
    // What is broken may go on for ever, within one moment of the world. Shrinking takes its time.
    const limit = setTimeout(() => child.kill('SIGKILL'), (maxSeconds + 300) * 1_000);
    child.on('exit', (code, signal) => {
      clearTimeout(limit);
      if (code === 0 && reports.length === workloads.length) resolve(reports);
      else reject(new Error(`a process of the simulation ended with ${code ?? signal}`));
    });
    const names = workloads.map(({ name }) => name);
    const share = Math.ceil(atLeast / processes);
    const job: Job = { workloads: names, first, step: processes, seconds, atLeast: share, maxSeconds };
    child.send(job);
  });
}
