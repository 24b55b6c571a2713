/** A process of `npm run simulate`: what real clusters go through. Says what came of it. */
import { scenarios } from '../chaos/scenarios/list.js';
import { runScenarios, type ScenarioResult } from '../chaos/scenarios/run-scenarios.js';
import type { Check } from './check.js';

/** The soak: goes on beside all others. */
const soak = 29;

// Whoever wanted to know is gone. What was started is ended when this ends.
process.once('disconnect', () => process.exit(1));
const results =
  process.argv[2] === 'true' ? await playAll() : await runScenarios({ tier: 'P', size: 'tenth' });
// Whatever hangs does not keep it alive.
process.send?.(results.map(checkOf), () => process.exit());

/** All, in full; the soak beside the others. */
async function playAll(): Promise<ScenarioResult[]> {
  const numbers = scenarios.filter(({ tier }) => tier === 'L').map(({ number }) => number);
  const others = numbers.filter((number) => number !== soak);
  const soaking = runScenarios({ tier: 'L', size: 'full', only: [soak] });
  return [
    ...(await runScenarios({ tier: 'P', size: 'full' })),
    ...(await runScenarios({ tier: 'L', size: 'full', only: others })),
    ...(await soaking),
  ];
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
