import { type Check, check } from './check.js';
import type { Mutant } from './mutants/mutant.js';
import { drawFor } from './plan.js';
import { run } from './run.js';
import { eachMutant, search } from './search.js';
import { workloadNamed } from './workloads.js';

/** Nobody waits longer for one. */
const limitMs = 60_000;

/** Plays with a broken library the seed that first showed it: it breaks the same rule again. With the library as it is nothing shows. */
export async function killMutants(mutants: readonly Mutant[]): Promise<Check[]> {
  const checks: Check[] = [];
  await eachMutant(mutants, async (mutant) => {
    const { name, masks, workload, size, seed, rule } = mutant;
    const { what } = await search(mutant, { firstSeed: seed, lastSeed: seed, limitMs, rule });
    const pair = masks === undefined ? '' : `, together with: ${masks}`;
    const title = `mutant: ${name}${pair}: ${workload}, ${size}, seed ${seed}`;
    const shown = `${rule}: ${what?.split('\n')[0]?.slice(0, 120) ?? 'not broken'}`;
    checks.push(check(title, what !== undefined, shown));
  });
  const pairs = mutants.filter(({ masks }) => masks !== undefined).length;
  const killed = checks.filter(({ state }) => state === 'passed').length;
  const figures = `${killed} of ${mutants.length}, ${pairs} of them in pairs; by ${countByRule(mutants)}`;
  checks.push(check('mutants: all show', killed === mutants.length, figures));
  const innocent = await playInnocent(mutants);
  checks.push(check('mutants: without them their seeds show nothing', innocent === undefined, innocent));
  return checks;
}

function countByRule(mutants: readonly Mutant[]): string {
  const counts = new Map<string, number>();
  for (const { rule } of mutants) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([rule, count]) => `${rule} ${count}`)
    .join(', ');
}

/** @returns what a seed shows though nothing is broken */
async function playInnocent(mutants: readonly Mutant[]): Promise<string | undefined> {
  for (const { workload: name, size, seed } of mutants) {
    const workload = workloadNamed(name);
    const [violation] = (await run(drawFor(workload, size, seed), workload)).violations;
    if (violation) return `${name}, ${size}, seed ${seed}: ${violation.rule}: ${violation.what}`;
  }
  return undefined;
}
