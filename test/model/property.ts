import fc from 'fast-check';
import { Sightings } from '../lock/fuzz/sightings.js';
import type { Kind } from './kinds.js';
import { run, type RunResult } from './run.js';
import { schedules } from './steps.js';

/** How many schedules each kind is tried with, unless `CONCLAVE_RUNS` says otherwise. */
const defaultRuns = 200;

const wantedRuns = process.env['CONCLAVE_RUNS'];
const seed = Number(process.env['CONCLAVE_SEED'] ?? 1);
const path = process.env['CONCLAVE_PATH'];

/** Far more than any takes: milliseconds. */
export const propertyTimeoutMs: number = 60_000 + Number(wantedRuns ?? defaultRuns) * 5_000;

/** What schedules have to come across, or they test less than it seems. */
const interesting = [
  'take.found',
  'take.dead',
  'ticket.waiting',
  'line.filled',
  'acquire: granted',
  'acquire: WAIT_TIMEOUT',
  'acquire: cancelled',
  'acquire: SESSION_LOST',
  'try: granted',
  'try: done',
  'release: HOLD_LOST',
  'write: done',
  'write: OUTCOME_UNKNOWN',
  'a hold was lost: expired',
  'a hold was lost: revoked',
];

/** Tries a kind with schedules. @param further what they have to come across besides @returns as `findShortest` */
export function findCounterexample(kind: Kind, further: readonly string[] = []): Promise<string> {
  return findShortest({
    name: kind.name,
    schedules: schedules(kind),
    run: (schedule, sightings) => run(kind, schedule, sightings),
    interesting: [...interesting, ...further],
  });
}

/** What is tried. */
export interface Subject<Tried extends { readonly steps: readonly unknown[] }> {
  readonly name: string;
  readonly schedules: fc.Arbitrary<Tried>;
  readonly run: (schedule: Tried, sightings: Sightings) => Promise<RunResult>;
  /** What schedules have to come across. */
  readonly interesting: readonly string[];
  /** With how many it is tried, unless `CONCLAVE_RUNS` says otherwise. */
  readonly usualRuns?: number;
}

/** @returns what went wrong, for the shortest schedule that shows it, and how to see it again; nothing if all is well */
export async function findShortest<Tried extends { readonly steps: readonly unknown[] }>(
  subject: Subject<Tried>,
): Promise<string> {
  const { usualRuns = defaultRuns } = subject;
  const runs = Number(wantedRuns ?? usualRuns);
  using sightings = new Sightings(subject.interesting);
  let latest: RunResult | undefined;
  const property = fc.asyncProperty(subject.schedules, async (schedule) => {
    const result = await subject.run(schedule, sightings);
    if (result.violations.length > 0) latest = result;
    return result.violations.length === 0;
  });
  const details = await fc.check(property, {
    seed,
    numRuns: runs,
    ...(path !== undefined && { path }),
  });
  if (wantedRuns !== undefined) console.log(subject.name, runs, sightings.counts);
  const isLong = runs >= usualRuns && path === undefined;
  if (!details.failed) return isLong ? describeMissing(sightings) : '';
  const [schedule] = details.counterexample ?? [];
  return [
    `${subject.name}, run ${details.numRuns}, ${details.numShrinks} times shortened; to repeat:`,
    `CONCLAVE_SEED=${details.seed} CONCLAVE_PATH=${details.counterexamplePath} npx vitest run --project unit test/model/${fileOf(subject.name)}.test.ts`,
    ...(latest?.violations ?? []),
    ...(schedule ? describeSchedule(schedule) : []),
    'the latest events:',
    ...(latest?.timeline ?? []).slice(-20).map((line) => line.slice(0, 200)),
  ].join('\n');
}

function describeMissing({ missing }: Sightings): string {
  return missing.length === 0 ? '' : `the schedules have not come across: ${missing.join(', ')}`;
}

function fileOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function describeSchedule({ steps, ...rest }: { readonly steps: readonly unknown[] }): string[] {
  return [`schedule ${JSON.stringify(rest)}, steps:`, ...steps.map((step) => `  ${JSON.stringify(step)}`)];
}
