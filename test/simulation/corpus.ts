import { readFileSync } from 'node:fs';
import { type Check, check } from './check.js';
import type { Plan } from './plan.js';
import { run } from './run.js';
import { workloadNamed } from './workloads.js';

/** A plan that once failed, and what was wrong. */
export interface Old {
  /** What was wrong, and was mended. */
  readonly bugOf: 'library' | 'checker';
  readonly what: string;
  readonly plan: Plan;
}

/** Plays all that ever failed: it must not fail again. @param path of corpus.json */
export async function playCorpus(path: string): Promise<Check[]> {
  const corpus = JSON.parse(readFileSync(path, 'utf8')) as readonly Old[];
  const checks: Check[] = [];
  for (const { what, plan, bugOf } of corpus) {
    const { violations } = await run(plan, workloadNamed(plan.workload));
    const details = violations.map(({ rule, what: how }) => `${rule}: ${how}`).join('; ');
    checks.push(check(`corpus: ${bugOf}: ${plan.workload}: ${what}`, violations.length === 0, details));
  }
  return checks;
}
