import { runScenarios, type ScenarioResult } from '../chaos/scenarios/run-scenarios.js';
import type { Check } from './check.js';

/** Scenarios on real clusters: those of every change, in a tenth of their repetitions; in a long run all, in full. */
export async function playScenarios(isLong: boolean): Promise<Check[]> {
  const size = isLong ? 'full' : 'tenth';
  const results = await runScenarios({ tier: 'P', size });
  if (isLong) results.push(...(await runScenarios({ tier: 'L', size })));
  return results.map(checkOf);
}

function checkOf({
  name,
  passed,
  repetitions,
  figures,
  violations,
  seconds,
  skipped,
}: ScenarioResult): Check {
  if (skipped !== undefined) return { name, state: 'skipped', reason: skipped };
  const told = [
    `${repetitions} repetitions, ${Math.round(seconds)} s`,
    ...Object.entries(figures).map(([what, value]) => `${what}: ${value}`),
    ...violations.slice(0, 5).map(({ rule, what }) => `${rule}: ${what}`),
  ];
  return { name, state: passed ? 'passed' : 'failed', figures: told.join('; ') };
}
