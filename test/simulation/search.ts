import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Found, Search } from './mutant-worker.js';
import type { Mutant } from './mutants/mutant.js';

const worker = fileURLToPath(new URL('mutant-worker.js', import.meta.url));
const preload = new URL('mutate.js', import.meta.url).href;

export interface SearchOptions {
  readonly firstSeed: number;
  readonly lastSeed: number;
  readonly limitMs: number;
  /** @default any that does not come of a mutant that has rotted */
  readonly rule?: string;
}

/** Plays seeds in a process whose library is broken, until one shows it. Nothing is found if that takes too long. */
export function search(
  { name, edits, workload, size }: Mutant,
  { limitMs, ...seeds }: SearchOptions,
): Promise<Found> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, CONCLAVE_MUTANT: JSON.stringify(edits) };
    const child = fork(worker, { execArgv: ['--import', preload], env });
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      console.log(`${name}: still running after ${limitMs} ms`);
      resolve({});
    }, limitMs);
    child.on('message', (found: Found) => resolve(found));
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(limit);
      reject(new Error(`the process of a mutant ended with ${code} before it said anything`));
    });
    const task: Search = { workload, size, ...seeds };
    child.send(task);
  });
}

/** Two at a time. */
export async function eachMutant(
  mutants: readonly Mutant[],
  work: (mutant: Mutant) => Promise<void>,
): Promise<void> {
  const waiting = [...mutants];
  const workAll = async (): Promise<void> => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) await work(mutant);
  };
  await Promise.all([workAll(), workAll()]);
}
