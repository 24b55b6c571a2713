/**
 * `npm run simulate`: what CI asks of the simulation and of real clusters, in at most 8 minutes.
 * `npm run chaos:long` (`--long`): the same in full numbers, in at most 60, and writes docs/evidence.md.
 *
 * With `--workload`, `--size` and `--seed` it plays one seed and says what happened. `--seconds` and `--first-seed` look
 * for more than CI does; `--only` runs some parts; `--hunt` looks for the first seed that shows a mutant.
 */
import { fileURLToPath } from 'node:url';
import { argumentsOf, numberOf, oneOf, orUsage } from '../project/arguments.js';
import { Batch } from './batch.js';
import { type Check, writeReport } from './check.js';
import { type Part, writeEvidence } from './evidence.js';
import { hunt } from './kill.js';
import { mutants } from './mutants.js';
import { partsOf } from './parts.js';
import { workloadNamed, workloads } from './workloads.js';

const { values } = argumentsOf({
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
const chosen = orUsage(() => values.workload?.map(workloadNamed)) ?? workloads;
const size = orUsage(() => oneOf('size', values.size, ['micro', 'full'] as const));
const [seed, firstSeed, seconds] = orUsage(() => [
  wanted('seed', { isWhole: true }),
  wanted('first-seed', { isWhole: true }),
  wanted('seconds'),
]);

if (values.hunt !== undefined) await huntFor(values.hunt);
else if (seed !== undefined) await playOne(seed);
else await playAll(values.only);

function wanted(option: 'seed' | 'first-seed' | 'seconds', kind?: { isWhole: boolean }): number | undefined {
  const text = values[option];
  return text === undefined ? undefined : numberOf(option, text, kind);
}

async function playOne(seed: number): Promise<void> {
  for (const workload of chosen) {
    const batch = new Batch(workload);
    await batch.play(seed, size);
    console.log(batch.failure?.text ?? `${workload.name}, ${size}, seed ${seed}: no violation`);
    if (batch.failure) process.exitCode = 1;
  }
}

async function huntFor(part: string): Promise<void> {
  const named = mutants.filter(({ name }) => name.includes(part));
  orUsage(() => {
    const names = mutants.map(({ name }) => `  ${name}`).join('\n');
    if (named.length === 0)
      throw new RangeError(`no planted bug has ${JSON.stringify(part)} in its name; there are\n${names}`);
  });
  for (const mutant of named) {
    const { seed, what } = await hunt(mutant, 20_000);
    console.log(`${mutant.name}: ${seed === undefined ? 'no seed of 20,000' : `seed ${seed}, ${what}`}`);
  }
}

async function playAll(only: readonly string[] | undefined): Promise<void> {
  const { long } = values;
  const all = partsOf({
    root,
    workloads: chosen,
    isLong: long,
    seconds: seconds ?? (long ? 900 : 100),
    // A long run looks where nobody has looked yet.
    firstSeed: firstSeed ?? (long ? Math.floor(Date.now() / 1_000) : 1),
  });
  for (const name of only ?? []) orUsage(() => oneOf('only', name, Object.keys(all)));
  const parts: Part[] = [];
  for (const [name, { title, text, run }] of Object.entries(all)) {
    if (only && !only.includes(name)) continue;
    console.log(`\n-- ${name}: ${title}`);
    const began = performance.now();
    const checks = await run();
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
