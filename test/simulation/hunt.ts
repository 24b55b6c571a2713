import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Mutant } from './mutants/mutant.js';
import { eachMutant, search } from './search.js';

export interface HuntOptions {
  readonly mutants: readonly Mutant[];
  /** How far to look: of large runs, a twentieth of it. */
  readonly lastSeed: number;
  /** Of the checkout, with its final "/": the seeds are written into its files. @default they are only told */
  readonly root?: string | undefined;
}

/** Looks for the first seed that shows each mutant, and says which it is. @returns how many are not shown by any */
export async function hunt({ mutants, lastSeed, root }: HuntOptions): Promise<number> {
  let hidden = 0;
  await eachMutant(mutants, async (mutant) => {
    const last = mutant.size === 'full' ? Math.ceil(lastSeed / 20) : lastSeed;
    const began = performance.now();
    const { seed, rule, what } = await search(mutant, { firstSeed: 1, lastSeed: last, limitMs: 3_600_000 });
    const found =
      seed === undefined ? `no seed of ${last}` : `seed ${seed}, ${rule}: ${what?.split('\n')[0]}`;
    console.log(`${mutant.name}: ${found} (${Math.round(performance.now() - began)} ms)`);
    if (seed === undefined || rule === undefined) hidden++;
    else if (root !== undefined) write(mutant, { seed, rule }, `${root}test/simulation/mutants/`);
  });
  return hidden;
}

function write({ name }: Mutant, { seed, rule }: { seed: number; rule: string }, folder: string): void {
  for (const file of readdirSync(folder)) {
    const text = readFileSync(folder + file, 'utf8');
    const at = [`'${name}'`, `"${name}"`].map((quoted) => text.indexOf(`name: ${quoted}`));
    const start = Math.max(...at);
    if (start < 0) continue;
    const rest = text
      .slice(start)
      .replace(/\bseed: \d+/, `seed: ${seed}`)
      .replace(/\brule: '[^']*'/, `rule: '${rule}'`);
    writeFileSync(folder + file, text.slice(0, start) + rest);
  }
}
