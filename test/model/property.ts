import fc from 'fast-check';
import { Sightings } from '../lock/fuzz/sightings.js';
import type { Kind } from './kinds.js';
import { run, type RunResult } from './run.js';
import { type Schedule, schedules } from './steps.js';

/** How many schedules each kind is tried with, unless `CONCLAVE_RUNS` says otherwise. */
const defaultRuns = 200;

const runs = Number(process.env['CONCLAVE_RUNS'] ?? defaultRuns);
const seed = Number(process.env['CONCLAVE_SEED'] ?? 1);
const path = process.env['CONCLAVE_PATH'];

/** Far more than any takes: milliseconds. */
export const propertyTimeoutMs: number = 60_000 + runs * 5_000;

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

/**
 * Tries a kind with schedules.
 *
 * @param further what they have to come across besides
 * @returns what went wrong, for the shortest schedule that shows it, and how to see it again; nothing if all is well
 */
export async function findCounterexample(kind: Kind, further: readonly string[] = []): Promise<string> {
  using sightings = new Sightings([...interesting, ...further]);
  let latest: RunResult | undefined;
  const property = fc.asyncProperty(schedules(kind), async (schedule) => {
    const result = await run(kind, schedule, sightings);
    if (result.violations.length > 0) latest = result;
    return result.violations.length === 0;
  });
  const details = await fc.check(property, {
    seed,
    numRuns: runs,
    ...(path !== undefined && { path }),
  });
  if (process.env['CONCLAVE_RUNS'] !== undefined) console.log(kind.name, runs, sightings.counts);
  const isLong = runs >= defaultRuns && path === undefined;
  if (!details.failed) return isLong ? describeMissing(sightings) : '';
  const [schedule] = details.counterexample ?? [];
  return [
    `${kind.name}, run ${details.numRuns}, ${details.numShrinks} times shortened; to repeat:`,
    `CONCLAVE_SEED=${details.seed} CONCLAVE_PATH=${details.counterexamplePath} npx vitest run --project unit test/model/${fileOf(kind)}.test.ts`,
    ...(latest?.violations ?? []),
    ...(schedule ? describeSchedule(schedule) : []),
    'the latest events:',
    ...(latest?.timeline ?? []).slice(-20).map((line) => line.slice(0, 200)),
  ].join('\n');
}

function describeMissing({ missing }: Sightings): string {
  return missing.length === 0 ? '' : `the schedules have not come across: ${missing.join(', ')}`;
}

function fileOf({ name }: Kind): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function describeSchedule({ steps, ...rest }: Schedule): string[] {
  return [`schedule ${JSON.stringify(rest)}, steps:`, ...steps.map((step) => `  ${JSON.stringify(step)}`)];
}
