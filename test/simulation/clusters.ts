import { scenarios } from '../chaos/scenarios/list.js';
import { runScenarios, type ScenarioResult } from '../chaos/scenarios/run-scenarios.js';
import type { Check } from './check.js';

/** The soak: goes on beside all others. */
const soak = 29;

/** Those of every change, in a tenth of their repetitions. */
export async function playShortScenarios(): Promise<Check[]> {
  const results = await runScenarios({ tier: 'P', size: 'tenth' });
  return results.map(checkOf);
}

/** All, in full; the soak beside the others. */
export async function playAllScenarios(): Promise<Check[]> {
  const numbers = scenarios.filter(({ tier }) => tier === 'L').map(({ number }) => number);
  const others = numbers.filter((number) => number !== soak);
  const soaking = runScenarios({ tier: 'L', size: 'full', only: [soak] });
  const results = [
    ...(await runScenarios({ tier: 'P', size: 'full' })),
    ...(await runScenarios({ tier: 'L', size: 'full', only: others })),
    ...(await soaking),
  ];
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
