import { type Entry, type Note, notesOf, operationsOf } from '../../history/record.js';
import { run, type RunOptions, type RunResult } from '../run.js';
import type { Stand } from './scenario.js';

/** Faults of processes: aimed, and at random. */
export const deaths: readonly string[] = [
  'a client killed',
  'the holder killed',
  'a client stopped',
  'the holder stopped',
];

export const deathsOfMembers: readonly string[] = [
  'a member killed',
  'the leader killed',
  'a member stopped',
];

/** Plays a workload among faults; says what was wrong, and how much was done. */
export async function playUnderFaults(
  stand: Stand,
  options: Omit<RunOptions, 'seed' | 'tier'> & Partial<Pick<RunOptions, 'tier'>>,
): Promise<RunResult> {
  const result = await run({ tier: 'loopback', seed: stand.seed, ...options });
  stand.add(result.violations);
  const failed = result.schedule.filter(({ error }) => error !== undefined);
  stand.expect(failed.length === 0, `faults that could not be: ${JSON.stringify(failed)}`);
  const counts = new Map<string, number>();
  for (const { call, outcome } of operationsOf(result.evidence.entries))
    if (outcome === 'ok') counts.set(call, (counts.get(call) ?? 0) + 1);
  stand.figure(
    `${options.workload}: done`,
    [...counts].map(([call, times]) => `${times} ${call}`).join(', '),
  );
  const struck = result.schedule.filter(({ isMissed }) => !isMissed).length;
  stand.figure(`${options.workload}: faults`, `${struck} of ${result.schedule.length}`);
  if (options.nemeses.length > 0) stand.expect(struck > 0, `${options.workload}: no fault was struck`);
  stand.figure(`${options.workload}: all served after the last`, `${Math.round(result.settledMs)} ms`);
  return result;
}

/** Those that tell that a hold was lost. */
export function lossesIn(entries: readonly Entry[]): Note[] {
  return notesOf(entries).filter(({ what }) => what === 'lost');
}
