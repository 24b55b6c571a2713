import type { Probe } from '../../src/base/probes.js';
import { textOf } from '../history/facts.js';
import { notesOf } from '../history/record.js';
import type { Workload } from '../workload/workload.js';
import { type Check, check } from './check.js';
import type { Fault, Sudden } from './faults.js';
import type { Plan } from './plan.js';
import { run } from './run.js';

const suddens: readonly Sudden[] = ['crash', 'pause', 'partition', 'expire'];
const pauseMs = 4_000;

/** Every place of one fault: what happens to which of two clients when it first passes which point. */
function places(probes: readonly Probe[]): Fault[] {
  return probes.flatMap((probe) =>
    suddens.flatMap((sudden) =>
      [0, 1].map((by): Fault => ({ at: 0, do: 'ambush', by, probe, sudden, forMs: pauseMs })),
    ),
  );
}

/**
 * Two faults at every pair of places, with two clients. How often both were struck is told, and each place has to be reached.
 *
 * @param stride only every so-manieth pair; odd, or one of the two clients would never be hit second
 */
export async function playPlacements(
  workload: Workload,
  probes: readonly Probe[],
  stride: number,
): Promise<Check> {
  const all = places(probes);
  const name = `${workload.name}: two faults at every pair of places`;
  const never = new Set<string>(probes);
  let [runs, both] = [0, 0];
  for (let i = 0; i < all.length ** 2; i += stride) {
    const faults = [all[Math.floor(i / all.length)], all[i % all.length]].filter(
      (fault) => fault !== undefined,
    );
    const plan: Plan = {
      workload: workload.name,
      seed: 1 + i,
      ttlMs: 2_000,
      clockRates: [1, 1],
      lengthMs: 5_000,
      faults,
    };
    const { violations, entries } = await run(plan, workload);
    const struck = notesOf(entries).filter(({ what }) => what.startsWith('sudden '));
    for (const { facts } of struck) never.delete(textOf(facts, 'probe'));
    runs++;
    if (struck.length === 2) both++;
    if (violations.length === 0) continue;
    const why = violations.map(({ rule, what }) => `${rule}: ${what}`).join('; ');
    return check(name, false, `${JSON.stringify(plan)}: ${why}`);
  }
  const missing = never.size === 0 ? '' : `, nobody came by ${[...never].join(', ')}`;
  return check(
    name,
    never.size === 0,
    `${runs} of ${all.length ** 2} pairs, both struck in ${both}${missing}`,
  );
}
