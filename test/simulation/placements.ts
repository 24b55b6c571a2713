import type { Workload } from '../workload/workload.js';
import { type Check, check } from './check.js';
import type { Fault, Sudden } from './faults.js';
import type { Plan } from './plan.js';
import { run } from './run.js';

const suddens: readonly Sudden[] = ['crash', 'pause', 'partition', 'expire'];
const pauseMs = 4_000;

/** Every place of one fault: what happens to which of two clients when it first passes which point. */
function places(probes: readonly string[]): Fault[] {
  return probes.flatMap((probe) =>
    suddens.flatMap((sudden) =>
      [0, 1].map((by): Fault => ({ at: 0, do: 'ambush', by, probe, sudden, forMs: pauseMs })),
    ),
  );
}

/**
 * Two faults at every pair of places, with two clients.
 *
 * @param stride only every so-manieth pair
 */
export async function playPlacements(
  workload: Workload,
  probes: readonly string[],
  stride: number,
): Promise<Check> {
  const all = places(probes);
  const name = `${workload.name}: two faults at every pair of places`;
  let runs = 0;
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
    const { violations } = await run(plan, workload);
    runs++;
    if (violations.length === 0) continue;
    const why = violations.map(({ rule, what }) => `${rule}: ${what}`).join('; ');
    return check(name, false, `${JSON.stringify(plan)}: ${why}`);
  }
  return check(name, true, `${runs} of ${all.length ** 2} pairs`);
}
