/**
 * `npm run simulate`: what CI asks of the simulation and of real clusters, in at most 8 minutes.
 * `npm run chaos:long` (`--long`): the same in full numbers, in at most 60, and writes docs/evidence.md.
 *
 * With `--workload`, `--size` and `--seed` it plays one seed and says what happened. `--seconds` and `--first-seed` look
 * for more than CI does; `--only` runs some parts; `--hunt` looks for the first seed that shows a mutant.
 */
import { fileURLToPath } from 'node:url';
import { inspect, parseArgs } from 'node:util';
import { Batch } from './batch.js';
import { type Check, check, writeReport } from './check.js';
import { type Part, writeEvidence } from './evidence.js';
import { hunt } from './kill.js';
import { mutants } from './mutants.js';
import { partsOf } from './parts.js';
import type { Size } from './plan.js';
import { workloadNamed, workloads } from './workloads.js';

const { values } = parseArgs({
  options: {
    workload: { type: 'string', multiple: true },
    size: { type: 'string', default: 'micro' },
    seed: { type: 'string' },
    'first-seed': { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string', multiple: true },
    long: { type: 'boolean', default: false },
    hunt: { type: 'string' },
  },
});
const root = fileURLToPath(new URL('../../../', import.meta.url));
const chosen = values.workload?.map(workloadNamed) ?? workloads;

if (values.hunt !== undefined) await huntFor(values.hunt);
else if (values.seed !== undefined) await playOne(Number(values.seed), sizeNamed(values.size));
else await playAll(values.only);

function sizeNamed(name: string): Size['name'] {
  if (name === 'micro' || name === 'full') return name;
  throw new RangeError(`there is no size ${JSON.stringify(name)}; there are micro and full`);
}

async function playOne(seed: number, size: Size['name']): Promise<void> {
  for (const workload of chosen) {
    const batch = new Batch(workload);
    await batch.play(seed, size);
    console.log(batch.failure?.text ?? `${workload.name}, ${size}, seed ${seed}: no violation`);
    if (batch.failure) process.exitCode = 1;
  }
}

async function huntFor(part: string): Promise<void> {
  for (const mutant of mutants.filter(({ name }) => name.includes(part))) {
    const { seed, what } = await hunt(mutant, 20_000);
    console.log(`${mutant.name}: ${seed === undefined ? 'no seed of 20,000' : `seed ${seed}, ${what}`}`);
  }
}

async function playAll(only: readonly string[] | undefined): Promise<void> {
  const { long } = values;
  const seconds = Number(values.seconds ?? (long ? 900 : 100));
  // A long run looks where nobody has looked yet.
  const firstSeed = Number(values['first-seed'] ?? (long ? Math.floor(Date.now() / 1_000) : 1));
  const all = partsOf({ root, workloads: chosen, isLong: long, seconds, firstSeed });
  for (const name of only ?? [])
    if (!(name in all))
      throw new RangeError(`there is no part ${name}; there are ${Object.keys(all).join(', ')}`);
  const parts: Part[] = [];
  for (const [name, { title, text, run }] of Object.entries(all)) {
    if (only && !only.includes(name)) continue;
    console.log(`\n-- ${name}: ${title}`);
    const began = performance.now();
    // Of what did not come to an end the last line says so, and the other parts go on.
    const checks = await run().catch((error: unknown) => [
      check(`${name} comes to an end`, false, inspect(error)),
    ]);
    parts.push({ title, text, checks, seconds: (performance.now() - began) / 1_000 });
  }
  report(parts.flatMap(({ checks }) => checks));
  if (long && only === undefined) writeEvidence({ root, command: 'npm run chaos:long', parts });
}

function report(checks: readonly Check[]): void {
  writeReport(`${root}test-results/${values.long ? 'chaos-long' : 'simulate'}.json`, checks);
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  console.log(`${count('passed')} passed, ${count('failed')} failed`);
  if (count('failed') > 0) process.exitCode = 1;
}
