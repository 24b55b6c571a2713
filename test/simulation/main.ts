/**
 * `npm run simulate`: what CI asks of the simulation and of real clusters, in at most 8 minutes.
 *
 * With `--workload`, `--size` and `--seed` it plays one seed and says what happened. `--seconds` and `--first-seed` look
 * for more than CI does; `--only` runs a part.
 */
import { fileURLToPath } from 'node:url';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Batch } from './batch.js';
import { type Check, writeReport } from './check.js';
import { playCorpus } from './corpus.js';
import { hunt, killMutants } from './kill.js';
import { mutants } from './mutants.js';
import { playTwice } from './determinism.js';
import { playPlacements } from './placements.js';
import { playSeeds } from './seeds.js';
import { workloadNamed, workloads } from './workloads.js';

const { values } = parseArgs({
  options: {
    workload: { type: 'string', multiple: true },
    size: { type: 'string', default: 'micro' },
    seed: { type: 'string' },
    'first-seed': { type: 'string', default: '1' },
    seconds: { type: 'string', default: '100' },
    /** Part of the names of mutants: looks for the first seed that shows each. */
    hunt: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
});
const root = fileURLToPath(new URL('../../../', import.meta.url));
const chosen = values.workload?.map(workloadNamed) ?? workloads;

/** The parts, in their order. */
const parts: Readonly<Record<string, () => Promise<readonly Check[]>>> = {
  corpus: () => playCorpus(`${root}test/simulation/corpus.json`),
  determinism: async () => [await playTwice(chosen, 100)],
  placements: async () => {
    const probes = [
      'session.granted',
      'ticket.take',
      'ticket.taken',
      'ticket.waiting',
      'line.watching',
    ].concat(['line.filled', 'hold.granted', 'hold.release', 'keep-alive.send']);
    const checks: Check[] = [];
    for (const workload of chosen.filter(({ name }) => ['mutex', 'election'].includes(name)))
      checks.push(await playPlacements(workload, probes, 11));
    return checks;
  },
  mutants: () => killMutants(mutants),
  seeds: () => {
    const seconds = Number(values.seconds);
    return playSeeds({
      workloads: chosen,
      processes: Math.min(2, availableParallelism()),
      firstSeed: Number(values['first-seed']),
      seconds,
      atLeast: Math.floor(20 * seconds),
      maxSeconds: 1.5 * seconds + 10,
    });
  },
};

if (values.hunt !== undefined) await huntFor(values.hunt);
else if (values.seed !== undefined)
  await playOne(Number(values.seed), values.size === 'full' ? 'full' : 'micro');
else await playAll(values.only ?? Object.keys(parts));

async function playOne(seed: number, size: 'micro' | 'full'): Promise<void> {
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

async function playAll(names: readonly string[]): Promise<void> {
  const checks: Check[] = [];
  for (const name of names) {
    const part = parts[name];
    if (!part) throw new RangeError(`there is no part ${name}; there are ${Object.keys(parts).join(', ')}`);
    console.log(`\n-- ${name}`);
    checks.push(...(await part()));
  }
  writeReport(`${root}test-results/simulate.json`, checks);
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  console.log(`${count('passed')} passed, ${count('failed')} failed`);
  if (count('failed') > 0) process.exitCode = 1;
}
