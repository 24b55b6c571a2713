import { type Entry, type Note, notesOf, operationsOf } from '../../history/record.js';
import type { Struck } from '../archive.js';
import { holdsJudged, isBlind } from '../judge.js';
import { run, type RunOptions, type RunResult } from '../run.js';
import type { Evidence } from '../../workload/workload.js';
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
  const counts = new Map<string, number>();
  for (const { call, outcome } of operationsOf(result.evidence.entries))
    if (outcome === 'ok') counts.set(call, (counts.get(call) ?? 0) + 1);
  stand.figure(
    `${options.workload}: done`,
    [...counts].map(([call, times]) => `${times} ${call}`).join(', '),
  );
  if (options.nemeses.length > 0) expectStruck(stand, options.workload, result.schedule);
  if (counts.has('acquire') || counts.has('campaign')) expectJudged(stand, options.workload, result.evidence);
  stand.figure(`${options.workload}: all served after the last`, `${Math.round(result.settledMs)} ms`);
  return result;
}

/** Where no fault was, or one could not be, nothing was shown. @param what was done meanwhile */
export function expectStruck(stand: Stand, what: string, schedule: readonly Struck[]): void {
  const failed = schedule.filter(({ error }) => error !== undefined);
  stand.expect(failed.length === 0, `${what}: faults that could not be: ${JSON.stringify(failed)}`);
  const struck = schedule.filter(({ isMissed }) => !isMissed).length - failed.length;
  stand.figure(`${what}: faults`, `${struck} of ${schedule.length}`);
  stand.expect(struck > 0, `${what}: no fault was struck`);
}

/** Where I1 could look at no hold, it has shown nothing. */
export function expectJudged(stand: Stand, what: string, evidence: Evidence): void {
  const holds = holdsJudged(evidence);
  stand.figure(`${what}: holds judged by I1`, `${holds.judged} of ${holds.told}`);
  stand.expect(!isBlind(holds), `${what}: I1 could look at none of ${holds.told} holds`);
}

/** Those that tell that a hold was lost. */
export function lossesIn(entries: readonly Entry[]): Note[] {
  return notesOf(entries).filter(({ what }) => what === 'lost');
}
