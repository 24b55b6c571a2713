import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Check, check } from './check.js';
import type { Found, Search } from './mutant-worker.js';
import type { Mutant } from './mutants.js';

const worker = fileURLToPath(new URL('mutant-worker.js', import.meta.url));
const preload = new URL('mutate.js', import.meta.url).href;

/** A broken library may run for ever: that shows, too. */
const hangMs = 60_000;

/** Plays with a broken library the seed that first showed it, two mutants at a time: it shows again. */
export async function killMutants(mutants: readonly Mutant[]): Promise<Check[]> {
  const waiting = [...mutants];
  const checks: Check[] = [];
  const work = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const { seed } = mutant;
      const { what } = await search(mutant, seed, seed, hangMs);
      const pair = mutant.masks === undefined ? '' : `, together with: ${mutant.masks}`;
      const name = `mutant: ${mutant.name}${pair}: ${mutant.workload}, ${mutant.size}, seed ${seed}`;
      checks.push(check(name, what !== undefined, what?.slice(0, 120)));
    }
  };
  await Promise.all([work(), work()]);
  return checks;
}

/** Looks for the first seed that shows a mutant. */
export async function hunt(mutant: Mutant, lastSeed: number): Promise<Found> {
  return search(mutant, 1, lastSeed, 20 * hangMs);
}

function search(
  { edits, workload, size }: Mutant,
  firstSeed: number,
  lastSeed: number,
  limitMs: number,
): Promise<Found> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, CONCLAVE_MUTANT: JSON.stringify(edits) };
    const child = fork(worker, { execArgv: ['--import', preload], env });
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      resolve({ seed: lastSeed, what: `still running after ${limitMs} ms` });
    }, limitMs);
    child.on('message', (found: Found) => resolve(found));
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(limit);
      reject(new Error(`the process of a mutant ended with ${code} before it said anything`));
    });
    const task: Search = { workload, size, firstSeed, lastSeed };
    child.send(task);
  });
}
