/**
 * `npm run simulate`: what CI asks of the simulation and of real clusters, in at most 8 minutes.
 * `npm run chaos:long` (`--long`): the same in full numbers, in at most 60, and writes docs/evidence.md.
 *
 * With `--workload`, `--size` and `--seed` it plays one seed and says what happened. `--workload`, `--seconds` and
 * `--first-seed` alone look for more than CI does in seeds; `--only` runs some parts.
 * `--hunt` looks for the first seed, up to `--last-seed`, that shows each mutant with this in its name; with `--write` it is
 * written into the file of the mutant. To be done anew (`--hunt '' --write`) when the faults or the workloads have changed.
 */
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { argumentsOf, numberOf, oneOf, orUsage } from '../project/arguments.js';
import { Batch } from './batch.js';
import { type Check, check, writeReport } from './check.js';
import { type Part, writeEvidence } from './evidence.js';
import { hunt } from './hunt.js';
import { mutants } from './mutants.js';
import { partsOf, type Program } from './parts.js';
import { workloadNamed, workloads } from './workloads.js';

const { values } = argumentsOf({
  options: {
    workload: { type: 'string', multiple: true },
    size: { type: 'string' },
    seed: { type: 'string' },
    'first-seed': { type: 'string' },
    seconds: { type: 'string' },
    only: { type: 'string', multiple: true },
    long: { type: 'boolean', default: false },
    hunt: { type: 'string' },
    'last-seed': { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const root = fileURLToPath(new URL('../../../', import.meta.url));
const chosen = orUsage(() => values.workload?.map(workloadNamed)) ?? workloads;
const size = orUsage(() => {
  if (values.size !== undefined && values.seed === undefined)
    throw new RangeError('--size says how to play one seed: give --seed, too');
  return oneOf('size', values.size ?? 'micro', ['micro', 'full'] as const);
});
const [seed, firstSeed, lastSeed = 20_000, seconds] = orUsage(() => [
  wanted('seed', { isWhole: true }),
  wanted('first-seed', { isWhole: true }),
  wanted('last-seed', { isWhole: true }),
  wanted('seconds'),
]);
const asksForSeeds = [values.workload, seconds, firstSeed].some((option) => option !== undefined);

if (values.hunt !== undefined) await huntFor(values.hunt);
else if (seed !== undefined) await playOne(seed);
else await playAll(values.only ?? (asksForSeeds ? ['seeds'] : undefined));

function wanted(
  option: 'seed' | 'first-seed' | 'last-seed' | 'seconds',
  kind?: { isWhole: boolean },
): number | undefined {
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
  const hidden = await hunt({ mutants: named, lastSeed, root: values.write ? root : undefined });
  if (hidden > 0) process.exitCode = 1;
}

async function playAll(only: readonly string[] | undefined): Promise<void> {
  const { long } = values;
  const began = performance.now();
  const all = partsOf({
    root,
    workloads: chosen,
    isLong: long,
    seconds: seconds ?? (long ? 1_500 : 100),
    atLeast: seconds === undefined ? 2_000 : 1,
    maxSeconds: seconds === undefined ? (long ? 2_000 : 340) : 3 * seconds + 10,
    // A long run looks where nobody has looked yet.
    firstSeed: firstSeed ?? (long ? Math.floor(Date.now() / 1_000) : 1),
  });
  for (const name of only ?? []) orUsage(() => oneOf('only', name, Object.keys(all)));
  const chosenParts = Object.entries(all).filter(([name]) => only?.includes(name) ?? true);
  // What real clusters go through is mostly waiting: all else is done meanwhile, with what they leave of the processors.
  const [aside, inTurn] = divide(chosenParts, ([name]) => name === 'scenarios');
  const playing = Promise.all(aside.map(play));
  if (aside.length > 0) setPriority(constants.priority.PRIORITY_LOW);
  const parts: Part[] = [];
  for (const part of inTurn) parts.push(await play(part));
  parts.push(...(await playing));
  report(parts.flatMap(({ checks }) => checks));
  const took = (performance.now() - began) / 1_000;
  // Of a part of it the figures would pass for those of the whole.
  if (long && only === undefined)
    writeEvidence({ root, command: 'npm run chaos:long', seconds: took, parts });
}

async function play([name, { title, text, run }]: readonly [string, Program]): Promise<Part> {
  console.log(`\n-- ${name}: ${title}`);
  const began = performance.now();
  // Of what did not come to an end the last line says so, and the other parts go on.
  const checks = await run().catch((error: unknown) => [
    check(`${name} comes to an end`, false, inspect(error)),
  ]);
  return { title, text, checks, seconds: (performance.now() - began) / 1_000 };
}

function divide<T>(all: readonly T[], isFirst: (each: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((each) => !isFirst(each))];
}

function report(checks: readonly Check[]): void {
  writeReport(`${root}test-results/${values.long ? 'chaos-long' : 'simulate'}.json`, checks);
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  console.log(`${count('passed')} passed, ${count('failed')} failed`);
  if (count('failed') > 0) process.exitCode = 1;
}
