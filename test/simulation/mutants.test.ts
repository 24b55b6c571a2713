import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rules } from '../history/rules.js';
import { mutants } from './mutants.js';
import { workloadNamed } from './workloads.js';

describe('the planted bugs of the simulation', () => {
  it('are at least 32, each with a name and a workload of its own', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(32);
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    for (const { name, workload, rule } of mutants) {
      expect(workloadNamed(workload).name, name).toBe(workload);
      expect(Object.keys(rules), name).toContain(/^\w+/.exec(rule)?.[0]);
    }
  });

  it('each break something that stands once in the source', () => {
    const broken = mutants.flatMap(({ name, edits }) =>
      edits.map(({ file, find }) => {
        const count = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').split(find).length - 1;
        return { name, file, count };
      }),
    );
    expect(broken.filter(({ count }) => count !== 1)).toEqual([]);
  });
});
