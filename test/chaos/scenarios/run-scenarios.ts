import { setTimeout as delay } from 'node:timers/promises';
import type { Violation } from '../../history/record.js';
import { lacks } from '../rig/tools.js';
import { scenarios } from './list.js';
import { type Scenario, Stand } from './scenario.js';

export interface ScenariosOptions {
  /** P: those of every change. L: those of the long run, which are not P. */
  readonly tier: Scenario['tier'];
  readonly size: keyof Scenario['repetitions'];
  /** Their numbers. @default all of the tier */
  readonly only?: readonly number[];
  /** @default chance */
  readonly seed?: number;
}

/** Far more than any scenario takes, the soak of 40 minutes too: they only keep what hangs from holding up all others. */
const limitMinutes = { P: { tenth: 10, full: 30 }, L: { tenth: 15, full: 90 } } as const;

/** What came of a scenario. */
export interface ScenarioResult {
  /** With its number. */
  readonly name: string;
  /** True if it was skipped. */
  readonly passed: boolean;
  readonly repetitions: number;
  readonly figures: Readonly<Record<string, number | string>>;
  readonly violations: readonly Violation[];
  readonly seconds: number;
  /** Why. */
  readonly skipped?: string;
}

/** One after the other. Prints what came of each. */
export async function runScenarios(options: ScenariosOptions): Promise<ScenarioResult[]> {
  const { tier, size, only, seed = Date.now() % 1_000_000 } = options;
  const chosen = scenarios.filter((each) => each.tier === tier && (only?.includes(each.number) ?? true));
  console.log(`${chosen.length} scenarios of tier ${tier}, seed ${seed}`);
  const results: ScenarioResult[] = [];
  for (const scenario of chosen) {
    const result = await runScenario(scenario, size, seed);
    print(result);
    results.push(result);
  }
  const failed = results.filter(({ passed }) => !passed).length;
  const skipped = results.filter((each) => each.skipped !== undefined).length;
  const seconds = Math.round(results.reduce((sum, each) => sum + each.seconds, 0));
  console.log(`${results.length} scenarios in ${seconds} s: ${failed} failed, ${skipped} skipped`);
  return results;
}

async function runScenario(
  scenario: Scenario,
  size: ScenariosOptions['size'],
  seed: number,
): Promise<ScenarioResult> {
  const { number, title, tier, needs } = scenario;
  const repetitions = scenario.repetitions[size];
  const name = `${number}. ${title}`;
  const stand = new Stand(`scenario ${number}${tier === 'L' ? ' L' : ''}`, seed);
  const { figures, violations } = stand;
  const lack = needs.map(lacks).find((reason) => reason !== undefined);
  if (lack !== undefined)
    return { name, passed: true, repetitions: 0, figures, violations, seconds: 0, skipped: lack };
  const startedAt = performance.now();
  try {
    await endsWithin(limitMinutes[tier][size], scenario.run(stand, repetitions));
  } catch (error) {
    stand.expect(false, error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  return { name, passed: violations.length === 0, repetitions, figures, violations, seconds };
}

/** What hangs goes on hanging, until this process ends. */
async function endsWithin(minutes: number, work: Promise<void>): Promise<void> {
  const limit = delay(60_000 * minutes, 'late' as const, { ref: false });
  if ((await Promise.race([work, limit])) === 'late')
    throw new Error(`did not come to an end within ${minutes} minutes`);
}

function print({ name, passed, repetitions, figures, violations, seconds, skipped }: ScenarioResult): void {
  if (skipped !== undefined) {
    console.log(`SKIPPED ${name}: ${skipped}`);
    return;
  }
  console.log(`${passed ? 'ok' : 'FAILED'} ${name}; ${repetitions} repetitions, ${seconds} s`);
  for (const [what, value] of Object.entries(figures)) console.log(`    ${what}: ${value}`);
  for (const { rule, what } of violations.slice(0, 20)) console.log(`    VIOLATION ${rule}: ${what}`);
  if (violations.length > 20) console.log(`    and ${violations.length - 20} more`);
}
