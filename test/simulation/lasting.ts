import type { Workload } from '../workload/workload.js';
import { type Check, check } from './check.js';
import type { Fault } from './faults.js';
import type { Plan } from './plan.js';
import { run } from './run.js';

const ttlMs = 2_000;
const members = [0, 1, 2];
const directions = ['both', 'requests', 'replies'] as const;

/**
 * One client and one member never hear of each other again, or in one direction only; the way to the others is open. All
 * are served within three times the TTL.
 *
 * @param stride only every so-manieth of them; with a multiple of 2 or 3 some directions, or clients, would never come
 */
export async function playLasting(workload: Workload, stride: number): Promise<Check> {
  const name = `${workload.name}: with one way to one member cut for ever all are served within 3 x TTL`;
  const { clients = 2 } = workload;
  const faults = members.flatMap((member) =>
    directions.flatMap((blocks) =>
      Array.from({ length: clients }, (_, by): Fault => {
        return { at: 0, do: 'partition', by, member, blocks, refuses: false, forMs: Infinity };
      }),
    ),
  );
  const chosen = faults.filter((_, i) => i % stride === 0);
  for (const [i, fault] of chosen.entries()) {
    const plan: Plan = {
      workload: workload.name,
      seed: 1 + i,
      ttlMs,
      clockRates: Array.from({ length: clients }, () => 1),
      lengthMs: 1_000,
      faults: [],
      lasting: [fault],
      calmLimitMs: 3 * ttlMs,
      // What is lost because of it is lost after a TTL, at the earliest.
      quietMs: 6 * ttlMs,
    };
    const { violations } = await run(plan, workload);
    if (violations.length === 0) continue;
    const why = violations.map(({ rule, what }) => `${rule}: ${what}`).join('; ');
    return check(name, false, `${JSON.stringify(plan)}: ${why}`);
  }
  return check(name, true, `${chosen.length} ways`);
}
